# cmake -D BUILD=.. -D SCRATCH=.. -D CONSUMER=.. -D GENERATOR=.. -D COMPILER=.. -D FLAGS=.. -D VERSION=.. -P this
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}: ${failed}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/prefix)
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${SCRATCH}/build -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=${FLAGS}" -D CMAKE_PREFIX_PATH=${SCRATCH}/prefix
    -D SHIFTNORM_VERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run(${SCRATCH}/build/consumer)

# Oracle: worked by hand in consumer.cpp.
string(FIND "${output}" "mean 7 variance 3.5" found)
if(found EQUAL -1)
  message(FATAL_ERROR "the consumer printed '${output}'; expected 'mean 7 variance 3.5'")
endif()

foreach(schema schema.json schemas/results.json schemas/provenance.json)
  if(NOT EXISTS ${SCRATCH}/prefix/share/shiftnorm/${schema})
    message(FATAL_ERROR "share/shiftnorm/${schema} was not installed")
  endif()
endforeach()

foreach(page docs/reference/estimators.md docs/reference/statistics-file.md docs/formats.md)
  string(REPLACE "docs/" "share/doc/shiftnorm/" installed ${page})
  if(NOT EXISTS ${SCRATCH}/prefix/${installed})
    message(FATAL_ERROR "${installed} was not installed")
  endif()
endforeach()
