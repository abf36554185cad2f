# How a folder becomes a library. usher_library(net PUBLIC_DEPS base) makes the static library
# usher_net out of the folder's *.cc and links exactly what architecture.md's table allows.

add_library(usher_flags INTERFACE)
target_compile_options(usher_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Woverloaded-virtual -Wimplicit-fallthrough)
if(USHER_WERROR)
  target_compile_options(usher_flags INTERFACE -Werror)
endif()
# GCC's flow analysis warns about library code once sanitizers have rewritten it.
if(USHER_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(usher_flags INTERFACE -Wno-maybe-uninitialized)
endif()
# hiredis asks for _FILE_OFFSET_BITS; said for all, every target can share one precompiled header.
target_compile_definitions(usher_flags INTERFACE USHER_VERSION="${PROJECT_VERSION}" _FILE_OFFSET_BITS=64)
target_include_directories(usher_flags INTERFACE ${CMAKE_SOURCE_DIR})

if(USHER_SANITIZE)
  add_compile_options(-fsanitize=${USHER_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${USHER_SANITIZE})
endif()
if(USHER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # ccache refuses every file that uses a precompiled header unless it is told all this.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  else()
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

function(usher_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(usher_${name} STATIC ${sources})
  target_link_libraries(usher_${name} PUBLIC usher_flags ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# One gtest executable and one ctest for each tests/unit/<folder>. Tests run in the source tree's top.
# GoogleTest's headers are half of what a test compiles, so all tests share one precompiled header. Tests are not
# optimised: the code that they call is.
function(usher_unit_test name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  add_executable(unit_${name} ${sources})
  target_link_libraries(unit_${name} PRIVATE usher_flags ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_options(unit_${name} PRIVATE -O0)
  target_precompile_headers(unit_${name} REUSE_FROM unit_headers)
  add_test(NAME unit_${name} COMMAND unit_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(unit_${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# A fuzz target: tests/fuzz/<name>_fuzz.cc with its corpus in tests/fuzz/corpus/<name>/. With USHER_FUZZ
# it is a libFuzzer binary; otherwise a replayer that ctest runs over the corpus.
function(usher_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(fuzz_${name} ${name}_fuzz.cc)
  target_link_libraries(fuzz_${name} PRIVATE usher_flags ${ARG_DEPS})
  if(USHER_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz_replay_${name}
             COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_replay_${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()
