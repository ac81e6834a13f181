# ONNX's protobuf classes as Debian ships them (libonnx-dev), which has no CMake config of its own.
find_path(onnx_INCLUDE_DIR onnx/onnx_pb.h)
find_library(onnx_proto_LIBRARY onnx_proto)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(onnx REQUIRED_VARS onnx_proto_LIBRARY onnx_INCLUDE_DIR)
if(onnx_FOUND AND NOT TARGET onnx::proto)
  add_library(onnx::proto UNKNOWN IMPORTED)
  # The definitions with which Debian's library was built; its header asks for them.
  set_target_properties(onnx::proto PROPERTIES IMPORTED_LOCATION ${onnx_proto_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${onnx_INCLUDE_DIR}
                        INTERFACE_COMPILE_DEFINITIONS "ONNX_ML=1;ONNX_NAMESPACE=onnx"
                        INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
endif()
