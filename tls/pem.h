// PEM files on disk. Private to tls/.
#pragma once

#include <string>

#include "base/result.h"

namespace usher::tls {

// Such files are small: what is larger than 1 MiB is none. An error names the file.
Result<std::string> read_pem_file(const std::string& path);

}  // namespace usher::tls
