# Warnings, hardening and sanitizers, in one interface target that is never exported: a host that
# uses the installed library inherits none of them.
include(CheckCCompilerFlag)
add_library(moot_flags INTERFACE)

target_compile_options(moot_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wimplicit-fallthrough -Wvla
    -Wundef -Wpointer-arith -Wwrite-strings -Wcast-qual -Wcast-align -Wdouble-promotion
    -Wredundant-decls -Wno-missing-field-initializers
    -Werror=switch -Werror=implicit-function-declaration -Werror=incompatible-pointer-types
    -Werror=int-conversion -Werror=return-type
    # Without assertions, functions that only they call are left over.
    $<$<CONFIG:Release,MinSizeRel>:-Wno-unused-function>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(moot_flags INTERFACE
        -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init)
    if(NOT MOOT_SANITIZE_ADDRESS AND NOT MOOT_SANITIZE_THREAD)
        # Sanitizer instrumentation makes this one report paths that cannot be taken.
        target_compile_options(moot_flags INTERFACE -Wnull-dereference)
    endif()
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
    target_compile_options(moot_flags INTERFACE
        -Wcomma -Wassign-enum -Wmissing-variable-declarations -Wconditional-uninitialized)
endif()
if(MOOT_ANALYZE)
    target_compile_options(moot_flags INTERFACE -fanalyzer)
endif()
if(MOOT_WERROR)
    target_compile_options(moot_flags INTERFACE -Werror)
endif()

# The installed program calls many small functions across files, which only the linker can put
# together: a sixth of all instructions. Fat objects, so that the static library also serves hosts
# that link without.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(moot_flags INTERFACE
        $<$<CONFIG:Release>:-flto=auto> $<$<CONFIG:Release>:-ffat-lto-objects>)
    # A program whose calls are led elsewhere by --wrap has none to lead once they are inlined.
    set(whole "$<BOOL:$<TARGET_PROPERTY:MOOT_WRAPPED>>")
    target_link_options(moot_flags INTERFACE
        $<$<CONFIG:Release>:$<IF:${whole},-fno-lto,-flto=auto>>)
endif()

target_compile_options(moot_flags INTERFACE
    -fno-strict-overflow -fno-strict-aliasing -fno-delete-null-pointer-checks)
if(MOOT_FUZZ)
    target_compile_options(moot_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MOOT_SANITIZE_ADDRESS)
    target_compile_options(moot_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(moot_flags INTERFACE -fsanitize=address,undefined)
elseif(MOOT_SANITIZE_THREAD)
    target_compile_options(moot_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(moot_flags INTERFACE -fsanitize=thread)
else()
    # The OpenSSF compiler guide. FORTIFY needs optimisation, so debug builds go without; clang
    # has the third one since 16.
    check_c_compiler_flag(-ftrivial-auto-var-init=zero MOOT_HAS_TRIVIAL_AUTO_VAR_INIT)
    target_compile_options(moot_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection
        $<$<BOOL:${MOOT_HAS_TRIVIAL_AUTO_VAR_INIT}>:-ftrivial-auto-var-init=zero>
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=3>)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        target_compile_options(moot_flags INTERFACE -fcf-protection=full)
    endif()
    target_link_options(moot_flags INTERFACE
        -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
