# What a host finds: both libraries, the public headers, a CMake package, a .pc file, the program.
# Everything is relative to the place of these files, so an installed tree may be moved.
include(CMakePackageConfigHelpers)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/moot")

install(TARGETS moot_shared EXPORT moot-shared)
install(TARGETS moot_static EXPORT moot-static)
foreach(kind shared static)
    install(EXPORT moot-${kind} NAMESPACE moot:: DESTINATION "${package}")
endforeach()
install(TARGETS moot)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/engine/include/" TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/moot-config.cmake.in"
    "${PROJECT_BINARY_DIR}/moot-config.cmake" INSTALL_DESTINATION "${package}"
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/moot-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/moot-config.cmake"
    "${PROJECT_BINARY_DIR}/moot-config-version.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/FindMbedTLS.cmake" DESTINATION "${package}")

file(RELATIVE_PATH MOOT_PC_UP "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" MOOT_PC_UP "${MOOT_PC_UP}")
set(MOOT_PC_LLHTTP "")
if(LLHTTP_FOUND)
    set(MOOT_PC_LLHTTP ", libllhttp >= 9.2")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/moot.pc.in" "${PROJECT_BINARY_DIR}/moot.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/moot.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
