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

# The three lines of the README, on the demonstration's network and archive. Oracle: phantom writes so many images.
run(${BUILD}/apps/phantom/phantom ${SCRATCH}/archive --patients 6 --images-only)
run(${CMAKE_COMMAND} -S ${EXAMPLES} -B ${SCRATCH}/examples -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=${FLAGS}" -D CMAKE_PREFIX_PATH=${SCRATCH}/prefix)
run(${CMAKE_COMMAND} --build ${SCRATCH}/examples)
run(${SCRATCH}/examples/recalibrate ${DATASETS}/phantom/scanner_a.pth cifar_resnet20 ${SCRATCH}/archive
    ${DATASETS}/phantom/preprocess.yaml ${SCRATCH}/scanner_b.pth)
file(GLOB_RECURSE objects ${SCRATCH}/archive/*)
list(LENGTH objects images)
string(FIND "${output}" "${images} images, " found)
if(NOT found EQUAL 0 OR NOT EXISTS ${SCRATCH}/scanner_b.pth OR NOT EXISTS ${SCRATCH}/scanner_b.pth.provenance.json)
  message(FATAL_ERROR "the example printed '${output}'; expected '${images} images, ...' and scanner_b.pth")
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
