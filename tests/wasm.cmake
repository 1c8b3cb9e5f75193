# The tests of wasm: with the real engine where it is built, and guests where they can be made.
add_subdirectory(guests)
nu_unit_tests(wasm)

# nu_wasm_test(TARGET TEST): needs the engine and guests.
function(nu_wasm_test target test)
  target_compile_definitions(${target} PRIVATE NU_GUESTS="${NU_GUESTS}"
    NU_ENGINE="${CMAKE_BINARY_DIR}/nuncio-wasm-v8.so")
  add_dependencies(${target} guests)
  if(TARGET nuncio-wasm-v8)
    add_dependencies(${target} nuncio-wasm-v8)
  endif()
  set_tests_properties(${test} PROPERTIES ENVIRONMENT
    "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tsan_suppressions.txt")
  set(lacks)
  if(NOT TARGET nuncio-wasm-v8)
    set(lacks libnode-dev)
  elseif(NOT NU_WAT2WASM)
    set(lacks wabt)
  endif()
  if(lacks)
    set_tests_properties(${test} PROPERTIES DISABLED TRUE)
    add_test(NAME ${test}/skipped COMMAND sh -c "echo skipped: needs ${lacks}; exit 77")
    set_tests_properties(${test}/skipped PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endfunction()
nu_wasm_test(unit_wasm_guest_test unit/wasm/guest_test)

# libnode has an llhttp of its own: HTTP/1 is read as ever with it in the process, be ours a part of the
# program or, as in some distributions, a shared object.
if(TARGET nu_llhttp_sources)
  get_target_property(llhttp_sources nu_llhttp_sources SOURCES)
  add_library(llhttp_shared SHARED EXCLUDE_FROM_ALL ${llhttp_sources})
  target_include_directories(llhttp_shared PRIVATE ${NU_LLHTTP_INCLUDE})
  target_compile_options(llhttp_shared PRIVATE -w -fvisibility=default)
  target_compile_definitions(llhttp_shared PRIVATE LLHTTP_STRICT_MODE=1)
endif()

# nu_test_with_v8(TEST NAME LIBRARY...): the codec's test NAME with the engine loaded.
function(nu_test_with_v8 test name)
  string(REPLACE / _ target ${test})
  add_executable(${target} unit/codec/${name}_test.c unit/wasm/with_engine.c)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${ARGN} nu_codec nu_wasm PkgConfig::CMOCKA)
  add_test(NAME ${test} COMMAND ${target})
  nu_wasm_test(${target} ${test})
endfunction()
foreach(name h1_table h1_plain)
  nu_test_with_v8(unit/wasm/${name}_with_v8 ${name})
  if(TARGET llhttp_shared)
    nu_test_with_v8(unit/wasm/${name}_shared_with_v8 ${name} -Wl,--no-as-needed llhttp_shared)
    target_compile_definitions(unit_wasm_${name}_shared_with_v8 PRIVATE NU_LLHTTP_IS_SHARED)
  endif()
endforeach()

# With guests of C in place of an engine: the host and the filter under every sanitizer.
nu_unit_tests(http_wasm)
