# SPDX-License-Identifier: Apache-2.0
# Third-party libraries, all from Debian's packages (deploy/packages.txt). Each is used by one or two files.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libssl libcrypto)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)
if(SLUICE_TESTS)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
    pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
endif()

# Packages without a pkg-config file.
function(sluice_find_library name file header)
    find_library(${name}_LIBRARY ${file} REQUIRED)
    find_path(${name}_INCLUDE ${header} REQUIRED)
    add_library(ext::${name} UNKNOWN IMPORTED)
    set_target_properties(ext::${name} PROPERTIES IMPORTED_LOCATION ${${name}_LIBRARY})
    target_include_directories(ext::${name} SYSTEM INTERFACE ${${name}_INCLUDE})
endfunction()

# 000: arguments by value, rounding mode and flags passed per call, so no global state between threads.
sluice_find_library(bid bidgcc000 bid_functions.h)
sluice_find_library(unistring unistring unicase.h)
sluice_find_library(paho paho-mqtt3as MQTTAsync.h)
