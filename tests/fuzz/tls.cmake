usher_fuzz(tls_records DEPS usher_tls)
usher_fuzz(tls_credential DEPS usher_tls)
usher_fuzz(tls_server_names DEPS usher_tls)
