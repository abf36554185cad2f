// The kinds of work that clients do. Each is described at the top of bench/load/main.cc.
#pragma once

#include <memory>
#include <string_view>

#include "bench/load/client.h"

namespace usher::bench {

// How a kind of work is measured.
struct Work {
  std::string_view name;
  std::unique_ptr<Client> (*make)(Load& load);
  // Open loop: each client is sent one unit in each kTokenInterval, whatever the proxy does.
  bool paced = false;
  // One unit takes long: the window opens and closes with a unit, and the client sees to that.
  bool whole_units = false;
  // Nothing gets done, and that is no failure.
  bool silent = false;
};

// Fails on an unknown name.
const Work& work_named(std::string_view name);

}  // namespace usher::bench
