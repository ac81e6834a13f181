# The DCMTK libraries that read objects (DCMTK::data) and that speak with archives (DCMTK::network), as Debian ships them.
# DCMTK's own DCMTKConfig.cmake names two dozen more with libraries of theirs, and its pkg-config file asks for a package
# that libdcmtk-dev does not bring.
find_path(DCMTK_INCLUDE_DIR dcmtk/dcmdata/dctk.h)
set(DCMTKData_found_libraries)
foreach(name dcmjpls dcmjpeg dcmdata oflog ofstd)
  find_library(DCMTK_${name}_LIBRARY ${name})
  list(APPEND DCMTKData_found_libraries ${DCMTK_${name}_LIBRARY})
endforeach()
find_library(DCMTK_dcmnet_LIBRARY dcmnet)
find_library(DCMTK_dcmtls_LIBRARY dcmtls)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DCMTKData REQUIRED_VARS DCMTK_INCLUDE_DIR DCMTK_dcmjpls_LIBRARY DCMTK_dcmjpeg_LIBRARY
  DCMTK_dcmdata_LIBRARY DCMTK_oflog_LIBRARY DCMTK_ofstd_LIBRARY DCMTK_dcmnet_LIBRARY DCMTK_dcmtls_LIBRARY)
if(DCMTKData_FOUND AND NOT TARGET DCMTK::data)
  add_library(DCMTK::data INTERFACE IMPORTED)
  set_target_properties(DCMTK::data PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${DCMTK_INCLUDE_DIR}
                        INTERFACE_LINK_LIBRARIES "${DCMTKData_found_libraries}")
  add_library(DCMTK::network INTERFACE IMPORTED)
  set_target_properties(DCMTK::network PROPERTIES
    INTERFACE_LINK_LIBRARIES "${DCMTK_dcmtls_LIBRARY};${DCMTK_dcmnet_LIBRARY};DCMTK::data")
endif()
