# SPDX-License-Identifier: Apache-2.0
# Warnings, hardening and sanitizers, as one interface target that every target of ours links.
add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
target_include_directories(sluice_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
target_compile_options(sluice_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    -fno-strict-overflow -fstack-protector-strong)
if(SLUICE_SANITIZE)
    target_compile_options(sluice_flags INTERFACE
        -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID STREQUAL GNU)
    # Plain code beside the link-time form: the server is linked as a whole, the many test programs are not (tests/CMakeLists.txt).
    target_compile_options(sluice_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-ffat-lto-objects>)
endif()
