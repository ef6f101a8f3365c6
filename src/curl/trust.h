/* trust.h - which certificates are trusted when the program names none. */
#ifndef AVITO_CURL_TRUST_H
#define AVITO_CURL_TRUST_H

/* The system's directory of CA certificates when libcurl was built to use it, TLS is OpenSSL's, and the directory is
 * hashed: most certificates in it have a link by the hash of their name. NULL otherwise.
 * Such a directory alone costs next to nothing: only the certificates a server asks for are read. The bundle, a file of all of
 * them, takes 26 ms and 2.5 MB to parse; both together also switch libcurl's cache of the bundle off, so that every new
 * connection parses it again. Reads the directory: asked once, by global.c. */
const char *avito_trust_directory(void);

#endif
