# Every library is what Debian ships. Each is linked by the one folder that may know it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent_core)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
if(USHER_TESTS)
  find_package(GTest REQUIRED)
endif()

# The executable's allocator: a handshake is 750 allocations (docs/performance.md). A sanitizer has its own.
if(NOT USHER_SANITIZE)
  find_library(MIMALLOC_LIBRARY NAMES mimalloc REQUIRED)
endif()

# llhttp: libllhttp-dev on Debian 13; on Debian 12 the C sources come with the package node-llhttp.
# Built in strict mode and with every lenient flag left off.
find_path(LLHTTP_HEADER llhttp.h PATH_SUFFIXES include include/llhttp
          PATHS /usr /usr/share /usr/share/include/llhttp)
find_library(LLHTTP_LIBRARY NAMES llhttp)
if(LLHTTP_HEADER AND LLHTTP_LIBRARY)
  add_library(llhttp INTERFACE)
  target_link_libraries(llhttp INTERFACE ${LLHTTP_LIBRARY})
elseif(LLHTTP_HEADER AND EXISTS /usr/share/llhttp/llhttp.c)
  add_library(llhttp STATIC
    /usr/share/llhttp/llhttp.c /usr/share/llhttp/api.c /usr/share/llhttp/http.c)
  target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -w)
else()
  message(FATAL_ERROR "llhttp not found: install node-llhttp (Debian 12) or libllhttp-dev (Debian 13)")
endif()
target_include_directories(llhttp SYSTEM INTERFACE ${LLHTTP_HEADER})
if(TARGET llhttp AND NOT LLHTTP_LIBRARY)
  target_include_directories(llhttp PRIVATE ${LLHTTP_HEADER})
endif()
