// config_test.cc - what the configuration takes, and what it says to a mistake.
#include "stack/api/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace pollux {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest()
      : path_(testing::TempDir() + "pollux-config-" + std::to_string(getpid()) + ".toml") {}
  ~ConfigTest() override { std::remove(path_.c_str()); }
  std::string read(const std::string& text, std::initializer_list<const char*> settings = {}) {
    std::ofstream(path_) << text;
    std::vector<const char*> list(settings);
    list.push_back(nullptr);
    config_ = Config();
    return read_config(path_, list.data(), config_).message;
  }
  static bool says(const std::string& message, const char* what) {
    return message.find(what) != std::string::npos;
  }

  const std::string path_;
  Config config_;
};

constexpr const char* kPort =
    "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\naddresses = [\"198.18.0.2/24\"]\n";

TEST_F(ConfigTest, no_file_gives_the_defaults) {
  EXPECT_FALSE(read_config("", nullptr, config_));
  EXPECT_TRUE(config_.ports.empty());
  EXPECT_EQ(config_.threads, ThreadMode::shared);
}

TEST_F(ConfigTest, every_section_is_read) {
  ASSERT_EQ(
      read(std::string("[stack]\nthreads = \"single\"\npackets = 1023\n[tcp]\nmin_rto_ms = 300\n"
                       "sack = false\n") +
           kPort + "gateway = \"198.18.0.1\"\nmtu = 1400\nlro = false\nprobe = true\n"),
      "");
  EXPECT_EQ(config_.threads, ThreadMode::single);
  EXPECT_EQ(config_.packets, 1023u);
  EXPECT_EQ(config_.tcp.min_rto, Duration::ms(300));
  EXPECT_FALSE(config_.tcp.sack);
  ASSERT_EQ(config_.ports.size(), 1u);
  EXPECT_EQ(config_.ports[0].addresses[0].length, 24);
  EXPECT_EQ(config_.ports[0].gateway->to_string(), "198.18.0.1");
  EXPECT_EQ(config_.ports[0].mtu, 1400);
  EXPECT_FALSE(config_.ports[0].lro);
  EXPECT_TRUE(config_.ports[0].tso);
  EXPECT_TRUE(config_.ports[0].probe);
}

TEST_F(ConfigTest, an_unknown_key_is_refused_with_the_nearest_named) {
  const std::string message = read("[stack]\npackts = 1023\n");
  EXPECT_TRUE(says(message, "stack.packts")) << message;
  EXPECT_TRUE(says(message, "\"packets\"")) << message;
  EXPECT_TRUE(says(message, "line 2")) << message;
  EXPECT_TRUE(says(read("[stak]\n"), "\"stack\""));
  EXPECT_TRUE(says(read(std::string(kPort) + "gatway = \"198.18.0.1\"\n"), "\"gateway\""));
  EXPECT_TRUE(says(read("[tcp]\nsacks = true\n"), "\"sack\""));
}

TEST_F(ConfigTest, values_out_of_range_and_of_the_wrong_kind_say_what_is_needed) {
  EXPECT_TRUE(says(read("[stack]\npackets = 3\n"), "from 255 to 4194303"));
  EXPECT_TRUE(says(read("[stack]\npackets = \"many\"\n"), "a whole number"));
  EXPECT_TRUE(says(read("[stack]\nthreads = \"dual\"\n"), "\"shared\" or \"single\""));
  EXPECT_TRUE(says(read("[tcp]\nsack = 1\n"), "true or false"));
  EXPECT_TRUE(says(read("[tcp]\nmin_rto_ms = 5000\nmax_rto_ms = 1000\n"), "max_rto_ms"));
}

TEST_F(ConfigTest, all_ports_or_one) {
  ASSERT_EQ(read("[stack]\nports = \"all\"\n"), "");
  EXPECT_FALSE(config_.has_one_port);
  ASSERT_EQ(read("[stack]\nports = \"one\"\n"), "");
  EXPECT_TRUE(config_.has_one_port);
  EXPECT_TRUE(says(read("[stack]\nports = \"two\"\n"), "\"all\" or \"one\""));
}

TEST_F(ConfigTest, epoll_13_busy_polling_by_linuxs_names) {
  ASSERT_EQ(read("[stack]\nbusy_poll = 70\nbusy_read = 60\nbusy_poll_budget = 16\n"
                 "prefer_busy_poll = true\nnapi_defer_hard_irqs = 2\ngro_flush_timeout = 200000\n"
                 "irq_suspend_timeout = 20000000\n"),
            "");
  EXPECT_EQ(config_.busy_poll.busy_poll_usecs, 70u);
  EXPECT_EQ(config_.busy_read, 60u);
  EXPECT_EQ(config_.busy_poll.busy_poll_budget, 16);
  EXPECT_TRUE(config_.busy_poll.prefer_busy_poll);
  EXPECT_EQ(config_.irqs.napi_defer_hard_irqs, 2u);
  EXPECT_EQ(config_.irqs.gro_flush_timeout, 200'000);
  EXPECT_EQ(config_.irqs.irq_suspend_timeout, 20'000'000);
}

TEST_F(ConfigTest, epoll_13_11_13_12_keys_that_would_do_nothing_are_refused) {
  EXPECT_TRUE(says(read("[stack]\nnapi_defer_hard_irqs = 2\n"), "give both or none"));
  EXPECT_TRUE(says(read("[stack]\ngro_flush_timeout = 2000\n"), "give both or none"));
  EXPECT_TRUE(says(read("[stack]\nirq_suspend_timeout = 9999999\n"), "below softirq_usecs"));
  EXPECT_EQ(read("[stack]\nirq_suspend_timeout = 10000000\n"), "");
}

TEST_F(ConfigTest, several_queues_need_shared_threads_and_packets_for_each) {
  EXPECT_EQ(read("[stack]\nqueues = 4\n"), "");
  EXPECT_EQ(config_.queues, 4u);
  EXPECT_TRUE(says(read("[stack]\nqueues = 4\nthreads = \"single\"\n"), "threads = \"shared\""));
  EXPECT_TRUE(says(read("[stack]\nqueues = 4\npackets = 1000\n"), "give 1020 or more"));
}

TEST_F(ConfigTest, a_port_needs_a_device_and_an_address) {
  EXPECT_TRUE(says(read("[[port]]\naddresses = [\"198.18.0.2/24\"]\n"), "device"));
  EXPECT_TRUE(says(read("[[port]]\ndevice = \"net_null0\"\n"), "addresses"));
  EXPECT_TRUE(
      says(read("[[port]]\ndevice = \"net_null0\"\naddresses = [\"198.18.0.2\"]\n"), "/24"));
  EXPECT_TRUE(
      says(read("[[port]]\ndevice = \"net_null0\"\naddresses = [\"fd00::1/64\"]\n"), "IPv4"));
  EXPECT_TRUE(says(read("[port]\ndevice = \"net_null0\"\n"), "two brackets"));
  EXPECT_TRUE(says(read(std::string(kPort) + kPort), "two ports"));
  EXPECT_TRUE(
      says(read(std::string(kPort) + "kernel_address = \"198.18.0.2/24\"\n"), "same address"));
}

TEST_F(ConfigTest, settings_override_the_file) {
  EXPECT_EQ(read(kPort, {"port.a.device=net_ring0", "stack.packets=2047", "tcp.sack=false"}), "");
  EXPECT_EQ(config_.ports[0].device, "net_ring0");
  EXPECT_EQ(config_.packets, 2047u);
  EXPECT_FALSE(config_.tcp.sack);
  EXPECT_TRUE(says(read(kPort, {"port.b.mtu=1400"}), "no such port"));
  EXPECT_TRUE(says(read(kPort, {"packets"}), "section.key=value"));
  EXPECT_TRUE(says(read(kPort, {"stack.packtes=1"}), "\"packets\""));
}

TEST_F(ConfigTest, settings_alone_can_make_a_port) {
  EXPECT_EQ(read("", {"port.t.device=net_tap0,iface=x", "port.t.mtu=1400",
                      "port.t.addresses=[\"198.18.0.2/24\"]"}),
            "");
  ASSERT_EQ(config_.ports.size(), 1u);
  EXPECT_EQ(config_.ports[0].name, "t");
  EXPECT_EQ(config_.ports[0].device, "net_tap0,iface=x");
  EXPECT_EQ(config_.ports[0].mtu, 1400);
  EXPECT_TRUE(says(read(kPort, {"port.b.device=x"}), "port.b.addresses: missing"));
}

TEST_F(ConfigTest, a_file_that_is_no_toml_says_where) {
  EXPECT_TRUE(says(read("[stack\n"), ":1:"));
  EXPECT_FALSE(read_config("/nowhere.toml", nullptr, config_).message.empty());
}

}  // namespace
}  // namespace pollux
