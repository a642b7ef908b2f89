// config.cc - the configuration file: toml++ reads it, the key lists check it.
#include "stack/api/config.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // the packaged library is built with exceptions
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "stack/api/config_keys.h"

namespace pollux {
namespace {

using Names = std::vector<std::string_view>;

Names stack_key_names() {
  Names names{POLLUX_STACK_OTHER_KEYS};
#define POLLUX_NAME(key, field, low, high) names.push_back(key);
  POLLUX_STACK_KEYS(POLLUX_NAME)
#undef POLLUX_NAME
  return names;
}

Names tcp_key_names() {
  Names names;
#define POLLUX_NAME(key, ...) names.push_back(key);
  POLLUX_TCP_DURATION_KEYS(POLLUX_NAME)
  POLLUX_TCP_KEYS(POLLUX_NAME)
  POLLUX_TCP_SWITCHES(POLLUX_NAME)
#undef POLLUX_NAME
  return names;
}

// How many letters must be inserted, removed or changed to make `b` of `a`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view word, const Names& known) {
  return *std::min_element(known.begin(), known.end(), [&](std::string_view a, std::string_view b) {
    return edit_distance(word, a) < edit_distance(word, b);
  });
}

// Reads one table. The first mistake is kept; everything after it is ignored.
class Section {
 public:
  Section(const toml::table& table, std::string where, ConfigError& error)
      : table_(table), where_(std::move(where)), error_(error) {}

  void refuse_unknown(const Names& known) {
    for (const auto& [key, node] : table_) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      return fail(key.str(),
                  fmt::format("unknown key; did you mean \"{}\"? (config/README.md lists them all)",
                              nearest(key.str(), known)));
    }
  }
  template <typename T>
  void integer(std::string_view key, T& field, std::int64_t low, std::int64_t high) {
    const toml::node* node = table_.get(key);
    if (!node) return;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < low || *value > high) {
      return fail(key, fmt::format("a whole number from {} to {} is needed", low, high));
    }
    field = static_cast<T>(*value);
  }
  void duration_ms(std::string_view key, Duration& field, std::int64_t low, std::int64_t high) {
    std::int64_t value = field.to_ms();
    integer(key, value, low, high);
    field = Duration::ms(value);
  }
  void boolean(std::string_view key, bool& field) {
    const toml::node* node = table_.get(key);
    if (!node) return;
    if (const auto value = node->value_exact<bool>()) {
      field = *value;
    } else {
      fail(key, "true or false is needed");
    }
  }
  void text(std::string_view key, std::string& field) {
    const toml::node* node = table_.get(key);
    if (!node) return;
    if (const auto value = node->value_exact<std::string>()) {
      field = *value;
    } else {
      fail(key, "a text in quotes is needed");
    }
  }
  void choice(std::string_view key, std::string& field,
              std::initializer_list<std::string_view> choices) {
    text(key, field);
    if (!table_.get(key) || std::find(choices.begin(), choices.end(), field) != choices.end())
      return;
    std::string list;
    for (std::string_view name : choices)
      list += fmt::format("{}\"{}\"", list.empty() ? "" : " or ", name);
    fail(key, list + " is needed");
  }
  void address(std::string_view key, std::optional<IpAddress>& field) {
    std::string value;
    text(key, value);
    if (value.empty()) return;
    field = IpAddress::parse(value);
    if (!field) fail(key, fmt::format("\"{}\" is not an address such as 198.18.0.1", value));
  }
  void prefix(std::string_view key, std::optional<Prefix>& field) {
    std::string value;
    text(key, value);
    if (value.empty()) return;
    field = Prefix::parse(value);
    if (!field)
      fail(key,
           fmt::format("\"{}\" is not an address with its network, such as 198.18.0.1/24", value));
  }
  void prefixes(std::string_view key, std::vector<Prefix>& field) {
    const toml::node* node = table_.get(key);
    if (!node) return;
    const toml::array* list = node->as_array();
    if (!list) return fail(key, "a list is needed, such as [\"198.18.0.2/24\"]");
    for (const toml::node& entry : *list) {
      const auto prefix = Prefix::parse(entry.value_or(std::string_view()));
      if (!prefix)
        return fail(key,
                    "each entry must be an address with its network, such as \"198.18.0.2/24\"");
      if (!prefix->address.is_v4()) return fail(key, "only IPv4 addresses can be given to a port");
      field.push_back(*prefix);
    }
  }
  void fail(std::string_view key, const std::string& what) {
    if (error_) return;
    const toml::node* node = table_.get(key);
    const auto line = node ? node->source().begin.line : 0;
    error_.message = line ? fmt::format("line {}: {}.{}: {}", line, where_, key, what)
                          : fmt::format("{}.{}: {}", where_, key, what);
  }

 private:
  const toml::table& table_;
  std::string where_;
  ConfigError& error_;
};

// What would change nothing is not taken in silence.
void refuse_idle_irq_keys(Section& section, const Config& config) {
  const IrqParams& irqs = config.irqs;
  if ((irqs.napi_defer_hard_irqs == 0) != (irqs.gro_flush_timeout == 0)) {
    section.fail("napi_defer_hard_irqs", "and gro_flush_timeout work together: give both or none");
  }
  const Duration suspension = Duration::ns(irqs.irq_suspend_timeout);
  if (irqs.irq_suspend_timeout != 0 && suspension < Duration::us(config.softirq_usecs)) {
    section.fail("irq_suspend_timeout",
                 "counts nanoseconds; below softirq_usecs, which holds anyway, it changes nothing");
  }
}

void refuse_impossible_queues(Section& section, const Config& config) {
  constexpr std::uint32_t kFewestPackets = 255;
  if (config.queues == 1) return;
  if (config.threads == ThreadMode::single) {
    section.fail("queues", "more than one needs threads = \"shared\"");
  } else if (config.packets / config.queues < kFewestPackets) {
    section.fail("queues", fmt::format("share stack.packets: with {} of them give {} or more",
                                       config.queues, config.queues * kFewestPackets));
  }
}

void read_stack(const toml::table& table, Config& config, ConfigError& error) {
  Section section(table, "stack", error);
  section.refuse_unknown(stack_key_names());
#define POLLUX_READ(key, field, low, high) section.integer(key, config.field, low, high);
  POLLUX_STACK_KEYS(POLLUX_READ)
#undef POLLUX_READ
  std::string threads = "shared";
  section.choice("threads", threads, {"shared", "single"});
  config.threads = threads == "single" ? ThreadMode::single : ThreadMode::shared;
  std::string ports = "all";
  section.choice("ports", ports, {"all", "one"});
  config.has_one_port = ports == "one";
  section.boolean("hugepages", config.hugepages);
  section.boolean("prefer_busy_poll", config.busy_poll.prefer_busy_poll);
  section.choice("log", config.log, {"error", "warning", "info", "debug"});
  refuse_idle_irq_keys(section, config);
  refuse_impossible_queues(section, config);
}

void read_tcp(const toml::table& table, tcp::TcpConfig& tcp, ConfigError& error) {
  Section section(table, "tcp", error);
  section.refuse_unknown(tcp_key_names());
#define POLLUX_READ(key, field, unit, low, high) section.duration_##unit(key, tcp.field, low, high);
  POLLUX_TCP_DURATION_KEYS(POLLUX_READ)
#undef POLLUX_READ
#define POLLUX_READ(key, field, low, high) section.integer(key, tcp.field, low, high);
  POLLUX_TCP_KEYS(POLLUX_READ)
#undef POLLUX_READ
#define POLLUX_READ(key, field) section.boolean(key, tcp.field);
  POLLUX_TCP_SWITCHES(POLLUX_READ)
#undef POLLUX_READ
  if (tcp.min_rto > tcp.max_rto) section.fail("min_rto_ms", "must not be above max_rto_ms");
  if (tcp.delayed_ack_min > tcp.delayed_ack_max) {
    section.fail("delayed_ack_min_ms", "must not be above delayed_ack_max_ms");
  }
}

void read_preload(const toml::table& table, Config& config, ConfigError& error) {
  Section section(table, "preload", error);
  section.refuse_unknown(Names{POLLUX_PRELOAD_KEYS});
  std::string loopback;
  section.choice("loopback", loopback, {"kernel", "stack"});
  if (!loopback.empty()) config.loopback_is_stacks = loopback == "stack";
}

void read_port(const toml::table& table, Config& config, ConfigError& error) {
  PortConfig port;
  port.name = table["name"].value_or(fmt::format("port{}", config.ports.size()));
  Section section(table, "port." + port.name, error);
  section.refuse_unknown(Names{POLLUX_PORT_KEYS});
  section.text("name", port.name);
  section.text("device", port.device);
  section.prefixes("addresses", port.addresses);
  section.address("gateway", port.gateway);
  section.prefix("kernel_address", port.kernel_address);
  if (table.get("mtu")) section.integer("mtu", port.mtu, 576, 9216);
  section.integer("vlan", port.vlan, 0, 4094);
  section.integer("descriptors", port.descriptors, 64, 32768);
  section.boolean("checksum_offload", port.checksum_offload);
  section.boolean("tso", port.tso);
  section.boolean("lro", port.lro);
  section.boolean("rx_interrupts", port.rx_interrupts);
  section.boolean("probe", port.probe);
  section.text("impair_rx", port.impair_rx);
  section.text("impair_tx", port.impair_tx);
  section.integer("impair_seed", port.impair_seed, 0, INT64_MAX);
  section.text("capture", port.capture);
  if (port.device.empty())
    section.fail("device", "missing; name a DPDK device such as \"net_tap0,iface=plx0\"");
  if (port.addresses.empty())
    section.fail("addresses", "missing; give the stack one, such as [\"198.18.0.2/24\"]");
  for (const Prefix& own : port.addresses) {
    if (port.kernel_address && own.address == port.kernel_address->address) {
      section.fail("kernel_address",
                   "is the same address as one of the stack's; its kernel end needs another");
    }
  }
  for (const PortConfig& other : config.ports) {
    if (other.name == port.name) section.fail("name", "two ports have this name");
  }
  config.ports.push_back(std::move(port));
}

toml::table* port_named(toml::table& root, std::string_view name) {
  toml::array* ports = root["port"].as_array();
  if (!ports) return nullptr;
  for (toml::node& node : *ports) {
    toml::table* table = node.as_table();
    if (table && (*table)["name"].value_or(std::string_view()) == name) return table;
  }
  return nullptr;
}

// One for a setting to fill; a device is what makes a port.
toml::table* add_port(toml::table& root, std::string_view name) {
  toml::array* ports = root.insert("port", toml::array()).first->second.as_array();
  if (!ports) return nullptr;
  ports->push_back(toml::table{{"name", std::string(name)}});
  return ports->back().as_table();
}

// "section.key=value" or "port.NAME.key=value"; the value as in TOML, or a text without quotes.
void apply_setting(std::string_view setting, toml::table& root, ConfigError& error) {
  const std::size_t equals = setting.find('=');
  const std::string_view path = setting.substr(0, equals);
  const std::size_t first = path.find('.'), last = path.rfind('.');
  if (equals == std::string_view::npos || first == std::string_view::npos) {
    error.message = fmt::format(
        "setting \"{}\": write section.key=value, such as stack.threads=single", setting);
    return;
  }
  const std::string_view section = path.substr(0, first), key = path.substr(last + 1);
  toml::table* table = nullptr;
  if (section == "port" && last > first) {
    const std::string_view name = path.substr(first + 1, last - first - 1);
    table = port_named(root, name);
    if (!table && key == "device") table = add_port(root, name);
    if (!table)
      error.message = fmt::format("setting \"{}\": the configuration has no such port", setting);
  } else {
    table = root.insert(section, toml::table()).first->second.as_table();
    if (!table) error.message = fmt::format("setting \"{}\": write port.NAME.key=value", setting);
  }
  if (!table) return;
  const std::string_view value = setting.substr(equals + 1);
  const toml::parse_result parsed = toml::parse(fmt::format("value = {}", value));
  if (parsed) {
    table->insert_or_assign(key, *parsed.table().get("value"));
  } else {
    table->insert_or_assign(key, std::string(value));
  }
}

void read_root(toml::table& root, Config& config, ConfigError& error) {
  const Names sections{POLLUX_SECTIONS};
  Section top(root, "configuration", error);
  top.refuse_unknown(sections);
  if (const toml::table* table = root["stack"].as_table()) read_stack(*table, config, error);
  if (const toml::table* table = root["tcp"].as_table()) read_tcp(*table, config.tcp, error);
  if (const toml::table* table = root["preload"].as_table()) read_preload(*table, config, error);
  const toml::node* ports = root.get("port");
  if (!ports) return;
  const toml::array* list = ports->as_array();
  if (!list) return top.fail("port", "write [[port]] with two brackets: there may be several");
  for (const toml::node& port : *list) {
    if (const toml::table* table = port.as_table()) read_port(*table, config, error);
  }
}

}  // namespace

ConfigError read_config(const std::string& file, const char* const* settings, Config& config) {
  ConfigError error;
  toml::table root;
  if (!file.empty()) {
    toml::parse_result parsed = toml::parse_file(file);
    if (!parsed) {
      const toml::parse_error& problem = parsed.error();
      error.message =
          fmt::format("{}:{}: {}", file, problem.source().begin.line, problem.description());
      return error;
    }
    root = std::move(parsed).table();
  }
  for (; settings && *settings && !error; ++settings) apply_setting(*settings, root, error);
  if (!error) read_root(root, config, error);
  if (error && !file.empty()) error.message = file + ": " + error.message;
  return error;
}

}  // namespace pollux
