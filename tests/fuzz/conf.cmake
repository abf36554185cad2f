usher_fuzz(toml DEPS usher_conf)
usher_fuzz(toml_values DEPS usher_conf)
usher_fuzz(nginx DEPS usher_conf)
