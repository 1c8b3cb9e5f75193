# What `cmake --install` puts where, and the .deb that CPack makes of it (packaging/deb.sh). The
# configuration goes to /etc whatever the prefix is, as the unit files and the manual say.
include(GNUInstallDirs)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME nuncio)
set(NU_SYSCONFDIR /etc CACHE PATH "Where nuncio/nuncio.yaml is installed")
set(doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/nuncio)

install(TARGETS nuncio RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/nuncio DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES conf/nuncio.yaml DESTINATION ${NU_SYSCONFDIR}/nuncio)
install(DIRECTORY conf/ DESTINATION ${doc_dir}/conf)
install(FILES README.md SECURITY.md DESTINATION ${doc_dir})
install(DIRECTORY docs/ DESTINATION ${doc_dir}/docs FILES_MATCHING PATTERN "*.md")
# Not what trying them out has left there.
install(DIRECTORY examples DESTINATION ${doc_dir} FILES_MATCHING PATTERN "*.md" PATTERN "*.yaml"
        PATTERN "*.c" PATTERN "*.h" PATTERN "*.rs" PATTERN "Cargo.*" PATTERN "*.sh"
        PATTERN "CMakeLists.txt" PATTERN "build" EXCLUDE PATTERN "target" EXCLUDE)
install(DIRECTORY src/filters DESTINATION ${doc_dir}/src FILES_MATCHING PATTERN "README.md")
install(FILES LICENSE DESTINATION ${doc_dir} RENAME copyright)
install(FILES docs/nuncio.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

# The unit files name the program by its path, which the prefix of the installation decides.
foreach(unit nuncio.service nuncio.socket)
  install(CODE "
    file(READ \"${CMAKE_SOURCE_DIR}/packaging/systemd/${unit}\" text)
    string(REPLACE /usr/bin/nuncio \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/nuncio\" text \"\${text}\")
    file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${unit}\" \"\${text}\")
    message(STATUS \"Installing: \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${unit}\")")
endforeach()

# The wasm engine, a package of its own: V8 and what it needs are larger than all the rest. Under the
# unit as it is V8 could not run.
set(components nuncio)
if(TARGET nuncio-wasm-v8)
  list(APPEND components wasm)
  install(TARGETS nuncio-wasm-v8 LIBRARY DESTINATION lib/nuncio COMPONENT wasm)
  install(FILES packaging/systemd/wasm.conf DESTINATION lib/systemd/system/nuncio.service.d
          COMPONENT wasm)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_PACKAGE_NAME nuncio)
set(CPACK_PACKAGE_VENDOR "nuncio")
# Whoever builds a package to hand out names who answers for it: there is no address of the project.
set(NU_PACKAGE_CONTACT "the nuncio maintainers <nuncio@localhost>" CACHE STRING
  "Name and address of the package's maintainer")
set(CPACK_PACKAGE_CONTACT "${NU_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Envoy-compatible reverse proxy in C")
set(CPACK_PACKAGE_DESCRIPTION
"nuncio starts from an Envoy v3 bootstrap, listens, runs a chain of filters and
forwards to a pool of upstreams. It comes with a systemd unit and an example
configuration.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_NUNCIO_PACKAGE_NAME nuncio)
set(CPACK_DEBIAN_NUNCIO_PACKAGE_SUGGESTS nuncio-wasm)
set(CPACK_DEBIAN_WASM_PACKAGE_NAME nuncio-wasm)
set(CPACK_COMPONENT_WASM_DESCRIPTION
"Runs proxy-wasm filters in nuncio, with V8 from Debian's libnode.")
set(CPACK_DEBIAN_WASM_PACKAGE_DEPENDS "nuncio (= ${PROJECT_VERSION})")
if(NU_V8_UNPACKED) # packaging/setup.sh: there is no package here that dpkg-shlibdeps could ask
  set(CPACK_DEBIAN_WASM_PACKAGE_SHLIBDEPS OFF)
  set(CPACK_DEBIAN_WASM_PACKAGE_DEPENDS
      "nuncio (= ${PROJECT_VERSION}), ${NU_V8_UNPACKED}, libc6, libstdc++6")
endif()
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_NUNCIO_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/packaging/deb/conffiles" "${CMAKE_SOURCE_DIR}/packaging/deb/postinst"
    "${CMAKE_SOURCE_DIR}/packaging/deb/prerm" "${CMAKE_SOURCE_DIR}/packaging/deb/postrm")
include(CPack)
