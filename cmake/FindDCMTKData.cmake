# The four DCMTK libraries that read objects, as Debian ships them. DCMTK's own DCMTKConfig.cmake names two dozen more
# with libraries of theirs, and its pkg-config file asks for a package that libdcmtk-dev does not bring.
find_path(DCMTK_INCLUDE_DIR dcmtk/dcmdata/dctk.h)
set(DCMTKData_found_libraries)
foreach(name dcmjpls dcmjpeg dcmdata oflog ofstd)
  find_library(DCMTK_${name}_LIBRARY ${name})
  list(APPEND DCMTKData_found_libraries ${DCMTK_${name}_LIBRARY})
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DCMTKData REQUIRED_VARS DCMTK_INCLUDE_DIR DCMTK_dcmjpls_LIBRARY DCMTK_dcmjpeg_LIBRARY
  DCMTK_dcmdata_LIBRARY DCMTK_oflog_LIBRARY DCMTK_ofstd_LIBRARY)
if(DCMTKData_FOUND AND NOT TARGET DCMTK::data)
  add_library(DCMTK::data INTERFACE IMPORTED)
  set_target_properties(DCMTK::data PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${DCMTK_INCLUDE_DIR}
                        INTERFACE_LINK_LIBRARIES "${DCMTKData_found_libraries}")
endif()
