# SPDX-License-Identifier: Apache-2.0
# One static library per folder, made of the folder's .c files. A folder names exactly what it may use, so that a
# wrong arrow between folders fails to link (docs/architecture.md, section 2).
#   sluice_folder(NAME [PIC] USES base sql ... LIBS PkgConfig::YAML ...)      PIC: the broker plugin, a shared object, links it too
function(sluice_folder name)
    cmake_parse_arguments(F "PIC" "" "USES;LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library(${name} STATIC ${sources})
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ${F_PIC})
    target_link_libraries(${name} PUBLIC sluice_flags ${F_USES} PRIVATE ${F_LIBS} Threads::Threads)
endfunction()

# Every tests/unit/<folder>/test_*.c is one cmocka program that links that folder alone.
function(sluice_unit_tests folder)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/test_*.c)
    foreach(source ${tests})
        get_filename_component(test ${source} NAME_WE)
        add_executable(${test} ${source})
        target_link_libraries(${test} PRIVATE sluice_flags ${folder} PkgConfig::CMOCKA Threads::Threads)
        add_test(NAME ${folder}/${test} COMMAND ${test} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties(${folder}/${test} PROPERTIES LABELS "unit;${folder}" TIMEOUT 300)
    endforeach()
endfunction()
