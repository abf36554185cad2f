usher_fuzz(tls_records DEPS usher_tls)
