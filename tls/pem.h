// PEM files on disk. Private to tls/.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace usher::tls {

// What is wrong with a file of the settings, which is named as they name it.
Error bad_file(const Files& files, const std::string& path, std::string_view what);

// Such files are small: what is larger than 1 MiB is none. An error names the file.
Result<std::string> read_pem_file(const Files& files, const std::string& path);

}  // namespace usher::tls
