# Every third-party library, found in the ways that Debian 12 and 13 ship them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(YAJL REQUIRED IMPORTED_TARGET yajl>=2.1)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)

find_package(MbedTLS MODULE REQUIRED)
add_library(moot_mbedtls INTERFACE)
target_include_directories(moot_mbedtls SYSTEM INTERFACE "${MBEDTLS_INCLUDE_DIR}")
target_link_libraries(moot_mbedtls INTERFACE MbedTLS::mbedtls)

# llhttp: a library on Debian 13, C sources inside node-llhttp on Debian 12. The sources are
# compiled strict; without that, known request-smuggling holes of 8.1 are open.
pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp>=9.2)
add_library(moot_llhttp INTERFACE)
if(LLHTTP_FOUND)
    target_link_libraries(moot_llhttp INTERFACE PkgConfig::LLHTTP)
else()
    find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
    find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp NO_DEFAULT_PATH)
    if(NOT LLHTTP_SOURCE_DIR OR NOT LLHTTP_INCLUDE_DIR)
        message(FATAL_ERROR "llhttp not found: install libllhttp-dev (Debian 13) or node-llhttp (Debian 12)")
    endif()
    file(STRINGS "${LLHTTP_INCLUDE_DIR}/llhttp.h" LLHTTP_VERSION_LINES
        REGEX "#define LLHTTP_VERSION_(MAJOR|MINOR)")
    string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2"
        LLHTTP_SOURCE_VERSION "${LLHTTP_VERSION_LINES}")
    if(LLHTTP_SOURCE_VERSION VERSION_LESS 8.1)
        message(FATAL_ERROR "llhttp ${LLHTTP_SOURCE_VERSION} is too old: 8.1 or later is needed")
    endif()
    add_library(moot_llhttp_objects OBJECT
        "${LLHTTP_SOURCE_DIR}/api.c" "${LLHTTP_SOURCE_DIR}/http.c" "${LLHTTP_SOURCE_DIR}/llhttp.c")
    target_include_directories(moot_llhttp_objects SYSTEM PRIVATE "${LLHTTP_INCLUDE_DIR}")
    target_compile_definitions(moot_llhttp_objects PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_options(moot_llhttp_objects PRIVATE -w)
    set_target_properties(moot_llhttp_objects PROPERTIES C_CLANG_TIDY "" C_EXTENSIONS ON)
    target_include_directories(moot_llhttp SYSTEM INTERFACE "${LLHTTP_INCLUDE_DIR}")
endif()

add_library(moot_dependencies INTERFACE)
target_link_libraries(moot_dependencies INTERFACE
    PkgConfig::LIBUV PkgConfig::YAJL PkgConfig::YAML PkgConfig::ZLIB
    moot_mbedtls moot_llhttp Threads::Threads m)
