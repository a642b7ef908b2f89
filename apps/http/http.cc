// http.cc - a small web server: static files over HTTP/1.1 on Pollux's public header.
// RFC 9112 (messages), RFC 9110 (methods, status codes).

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pollux/pollux.h"

namespace {

using std::string_view;

constexpr std::size_t kMaxHead = 8 * 1024;      // a longer request head is answered with 431
constexpr std::size_t kChunk = 64 * 1024;       // of a file, read when the last one is sent
constexpr std::size_t kMaxDrain = 1024 * 1024;  // read and thrown away after the last answer

volatile sig_atomic_t g_stop = 0;

struct Options {
  const char* config = nullptr;
  std::vector<const char*> settings;  // ended by a null pointer, as plx_init wants it
  const char* address = "0.0.0.0";
  const char* root = nullptr;
  int port = 80;
};

struct Request {
  string_view method, target, version, connection;
  bool has_host = false;
  bool has_body = false;
};

bool same_word(string_view a, string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

string_view trimmed(string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before `mark` from the front of `text`; all of it when there is no mark.
string_view take_until(string_view& text, string_view mark) {
  const std::size_t at = text.find(mark);
  const string_view taken = text.substr(0, at);
  text.remove_prefix(at == string_view::npos ? text.size() : at + mark.size());
  return taken;
}

// `head` is everything before the empty line. False: not HTTP.
bool parse_request(string_view head, Request& request) {
  string_view line = take_until(head, "\r\n");
  request.method = take_until(line, " ");
  request.target = take_until(line, " ");
  request.version = line;
  if (request.method.empty() || request.target.empty()) return false;
  if (request.version != "HTTP/1.1" && request.version != "HTTP/1.0") return false;
  while (!head.empty()) {
    string_view value = take_until(head, "\r\n");
    const bool has_colon = value.find(':') != string_view::npos;
    const string_view name = take_until(value, ":");
    // White space around a name is how requests are smuggled (RFC 9112 5.1).
    if (!has_colon || name.empty() || name.find_first_of(" \t") != string_view::npos) return false;
    value = trimmed(value);
    if (same_word(name, "host")) request.has_host = true;
    if (same_word(name, "connection")) request.connection = value;
    if (same_word(name, "transfer-encoding")) request.has_body = true;
    if (same_word(name, "content-length") && value != "0") request.has_body = true;
  }
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = c | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// The file a target names, relative to the root; "" when it is malformed or leads out of the root.
std::string path_of(string_view target) {
  if (target.empty() || target.front() != '/') return "";
  target = target.substr(0, target.find_first_of("?#"));
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      const bool whole = i + 2 < target.size();
      const int high = whole ? hex_digit(target[i + 1]) : -1;
      const int low = whole ? hex_digit(target[i + 2]) : -1;
      if (high < 0 || low < 0) return "";
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return "";
    path.push_back(c);
  }
  for (string_view rest = path; !rest.empty();) {
    if (take_until(rest, "/") == "..") return "";
  }
  return "." + path + (path.back() == '/' ? "index.html" : "");
}

const char* content_type(string_view path) {
  static constexpr struct {
    string_view ending;
    const char* type;
  } kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css"},
      {".js", "text/javascript"},
      {".txt", "text/plain; charset=utf-8"},
      {".json", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".gif", "image/gif"},
      {".pdf", "application/pdf"},
      {".wasm", "application/wasm"},
      {".ico", "image/x-icon"},
  };
  for (const auto& known : kTypes) {
    if (path.ends_with(known.ending)) return known.type;
  }
  return "application/octet-stream";
}

struct OpenFile {
  int fd = -1;
  std::size_t size = 0;
  const char* status = "404 Not Found";
};

// Symbolic links inside the root are followed: they are the owner's wish.
OpenFile open_file(int root, const std::string& path) {
  OpenFile file;
  file.fd = openat(root, path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file.fd < 0) {
    if (errno == EACCES) file.status = "403 Forbidden";
    if (errno == EMFILE || errno == ENFILE) file.status = "503 Service Unavailable";
    return file;
  }
  struct stat facts;
  const bool known = fstat(file.fd, &facts) == 0;
  if (known && S_ISREG(facts.st_mode)) {
    file.size = static_cast<std::size_t>(facts.st_size);
    file.status = "200 OK";
    return file;
  }
  if (known && S_ISDIR(facts.st_mode)) file.status = "301 Moved Permanently";
  close(file.fd);
  file.fd = -1;
  return file;
}

// One client. Requests are answered one at a time and in order; while an answer is unsent nothing
// more is read, so what a client can make us hold is one head and one chunk.
struct Connection {
  std::string input;
  std::string output;
  std::size_t output_sent = 0;
  int file = -1;
  std::size_t file_left = 0;
  bool last_answer = false;  // close after what is being sent
  bool draining = false;     // our side is shut; waiting for the client's
  std::size_t drained = 0;
  std::uint32_t events = EPOLLIN;

  ~Connection() {
    if (file >= 0) close(file);
  }
};

class HttpServer {
 public:
  bool open(const sockaddr_in& address, const char* root);
  void run(const sigset_t& mask_while_waiting);

 private:
  bool watch(int fd, std::uint32_t events, int operation) const;
  void accept_all();
  void readable(int fd, Connection& connection);
  void drain(int fd, Connection& connection);
  void serve(int fd, Connection& connection);
  bool next_answer(Connection& connection);
  void answer(Connection& connection, string_view head);
  void answer_file(Connection& connection, const Request& request);
  void answer_status(Connection& connection, string_view status, const std::string& headers,
                     bool with_body);
  bool send_output(int fd, Connection& connection);
  bool fill_from_file(Connection& connection);
  void set_events(int fd, Connection& connection, std::uint32_t events) const;
  void close_connection(int fd);

  int root_ = -1;
  int epoll_ = -1;
  int listener_ = -1;
  bool accepting_ = true;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor: dense from 0
};

bool HttpServer::open(const sockaddr_in& address, const char* root) {
  root_ = ::open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root_ < 0) return false;
  epoll_ = plx_epoll_create1(0);
  listener_ = plx_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (epoll_ < 0 || listener_ < 0) return false;
  const int on = 1;
  plx_setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return plx_bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         plx_listen(listener_, 4096) == 0 && watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
}

void HttpServer::run(const sigset_t& mask_while_waiting) {
  epoll_event events[256];
  while (g_stop == 0) {
    const int n = plx_epoll_pwait(epoll_, events, 256, -1, &mask_while_waiting);
    if (n < 0 && errno != EINTR) return perror("http: epoll_wait");
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener_) {
        accept_all();
        continue;
      }
      Connection& connection = *connections_[static_cast<std::size_t>(fd)];
      if ((events[i].events & EPOLLERR) != 0) {
        close_connection(fd);
      } else if (connection.events == EPOLLOUT) {
        serve(fd, connection);
      } else {
        readable(fd, connection);
      }
    }
  }
}

bool HttpServer::watch(int fd, std::uint32_t events, int operation) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return plx_epoll_ctl(epoll_, operation, fd, &event) == 0;
}

void HttpServer::accept_all() {
  for (;;) {
    const int fd = plx_accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) {
      // Out of descriptors or memory: leave the rest in the backlog until a connection ends.
      const bool full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (full && watch(listener_, 0, EPOLL_CTL_MOD)) accepting_ = false;
      return;
    }
    const int on = 1;
    plx_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto index = static_cast<std::size_t>(fd);
    if (connections_.size() <= index) connections_.resize(index + 1);
    connections_[index] = std::make_unique<Connection>();
    if (!watch(fd, EPOLLIN, EPOLL_CTL_ADD)) close_connection(fd);
  }
}

void HttpServer::readable(int fd, Connection& connection) {
  if (connection.draining) return drain(fd, connection);
  char buffer[kMaxHead];
  const ssize_t n = plx_read(fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close_connection(fd);
  connection.input.append(buffer, static_cast<std::size_t>(n));
  serve(fd, connection);
}

// Closing with unread input would send a reset, and the reset would take the last answer with it.
void HttpServer::drain(int fd, Connection& connection) {
  char buffer[kMaxHead];
  const ssize_t n = plx_read(fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) connection.drained += static_cast<std::size_t>(n);
  if (n <= 0 || connection.drained > kMaxDrain) close_connection(fd);
}

// Sends and answers in turn until input or space runs out.
void HttpServer::serve(int fd, Connection& connection) {
  do {
    if (!send_output(fd, connection)) return;
  } while (!connection.last_answer && next_answer(connection));
  if (connection.last_answer) {
    plx_shutdown(fd, SHUT_WR);
    connection.draining = true;
  }
  set_events(fd, connection, EPOLLIN);
}

// Makes the answer to the next request that has come whole. False: none has.
bool HttpServer::next_answer(Connection& connection) {
  std::string& input = connection.input;
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string::npos && input.size() < kMaxHead) return false;
  if (end == std::string::npos || end > kMaxHead) {
    connection.last_answer = true;
    answer_status(connection, "431 Request Header Fields Too Large", "", true);
  } else {
    answer(connection, string_view(input).substr(0, end));
    input.erase(0, end + 4);
  }
  // The last answer, too, is sent by the caller's next round; last_answer then ends it.
  return true;
}

void HttpServer::answer(Connection& connection, string_view head) {
  Request request;
  const bool parsed = parse_request(head, request);
  const bool version_1_1 = request.version == "HTTP/1.1";
  // A body would be taken for the next request: whoever sends one is answered for the last time.
  if (!parsed || request.has_body || (version_1_1 && !request.has_host)) {
    connection.last_answer = true;
    return answer_status(connection, "400 Bad Request", "", true);
  }
  connection.last_answer = version_1_1 ? same_word(request.connection, "close")
                                       : !same_word(request.connection, "keep-alive");
  if (request.method != "GET" && request.method != "HEAD") {
    return answer_status(connection, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", true);
  }
  answer_file(connection, request);
}

void HttpServer::answer_file(Connection& connection, const Request& request) {
  const bool with_body = request.method == "GET";
  const std::string path = path_of(request.target);
  if (path.empty()) return answer_status(connection, "400 Bad Request", "", with_body);
  const OpenFile file = open_file(root_, path);
  if (file.fd < 0) {
    std::string location;
    if (string_view(file.status).starts_with("301")) {
      const string_view target = request.target.substr(0, request.target.find_first_of("?#"));
      location = "Location: " + std::string(target) + "/\r\n";
    }
    return answer_status(connection, file.status, location, with_body);
  }
  connection.output += "HTTP/1.1 200 OK\r\nContent-Type: ";
  connection.output += content_type(path);
  connection.output += "\r\nContent-Length: " + std::to_string(file.size);
  connection.output += connection.last_answer ? "\r\nConnection: close\r\n\r\n"
                                              : "\r\nConnection: keep-alive\r\n\r\n";
  if (with_body) {
    connection.file = file.fd;
    connection.file_left = file.size;
  } else {
    close(file.fd);
  }
}

void HttpServer::answer_status(Connection& connection, string_view status,
                               const std::string& headers, bool with_body) {
  const std::string body = std::string(status) + "\n";
  connection.output += "HTTP/1.1 ";
  connection.output += status;
  connection.output += "\r\n" + headers + "Content-Type: text/plain\r\nContent-Length: ";
  connection.output += std::to_string(body.size());
  connection.output += connection.last_answer ? "\r\nConnection: close\r\n\r\n"
                                              : "\r\nConnection: keep-alive\r\n\r\n";
  if (with_body) connection.output += body;
}

// True: everything is sent. False: the socket is full, or the connection is gone.
bool HttpServer::send_output(int fd, Connection& connection) {
  for (;;) {
    if (!fill_from_file(connection)) {
      close_connection(fd);
      return false;
    }
    const char* unsent = connection.output.data() + connection.output_sent;
    const std::size_t length = connection.output.size() - connection.output_sent;
    if (length == 0) return true;
    const ssize_t n = plx_send(fd, unsent, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      set_events(fd, connection, EPOLLOUT);
      return false;
    }
    if (n < 0) {
      close_connection(fd);
      return false;
    }
    connection.output_sent += static_cast<std::size_t>(n);
  }
}

// Keeps `output` filled from the file. False: the file became shorter than Content-Length said.
bool HttpServer::fill_from_file(Connection& connection) {
  if (connection.output_sent == connection.output.size()) {
    connection.output.clear();
    connection.output_sent = 0;
  }
  if (connection.file < 0 || connection.output.size() > kMaxHead) return true;
  const std::size_t wanted = std::min(connection.file_left, kChunk);
  const std::size_t before = connection.output.size();
  connection.output.resize(before + wanted);
  const ssize_t n = read(connection.file, connection.output.data() + before, wanted);
  const std::size_t got = n < 0 ? 0 : static_cast<std::size_t>(n);
  connection.output.resize(before + got);
  connection.file_left -= got;
  if (got == 0 && wanted != 0) return false;
  if (connection.file_left != 0) return true;
  close(connection.file);
  connection.file = -1;
  return true;
}

void HttpServer::set_events(int fd, Connection& connection, std::uint32_t events) const {
  if (connection.events == events) return;
  connection.events = events;
  watch(fd, events, EPOLL_CTL_MOD);
}

void HttpServer::close_connection(int fd) {
  connections_[static_cast<std::size_t>(fd)].reset();
  plx_close(fd);
  if (!accepting_) accepting_ = watch(listener_, EPOLLIN, EPOLL_CTL_MOD);
}

bool parse(int argc, char** argv, Options& options) {
  const option long_options[] = {
      {"config", required_argument, nullptr, 'c'},  {"set", required_argument, nullptr, 's'},
      {"address", required_argument, nullptr, 'a'}, {"port", required_argument, nullptr, 'p'},
      {"root", required_argument, nullptr, 'r'},    {nullptr, 0, nullptr, 0}};
  for (int c; (c = getopt_long(argc, argv, "c:", long_options, nullptr)) != -1;) {
    if (c == 'c') options.config = optarg;
    if (c == 's') options.settings.push_back(optarg);
    if (c == 'a') options.address = optarg;
    if (c == 'p') options.port = atoi(optarg);
    if (c == 'r') options.root = optarg;
    if (c == '?') return false;
  }
  options.settings.push_back(nullptr);
  return optind == argc && options.root != nullptr && options.port > 0 && options.port < 65536;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (!parse(argc, argv, options) || inet_pton(AF_INET, options.address, &address.sin_addr) != 1) {
    fprintf(stderr,
            "usage: http -c FILE [--set KEY=VALUE]... --root DIR [--address A] [--port N]\n");
    return 2;
  }
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  // The two signals arrive only while waiting, so none is missed between a check and a wait.
  sigset_t stop_signals, before;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop_signals, &before);
  for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { g_stop = 1; });
  if (plx_init(options.config, options.settings.data()) != 0) {
    fprintf(stderr, "http: %s\n", plx_error());
    return 1;
  }
  HttpServer server;
  const bool opened = server.open(address, options.root);
  if (!opened) {
    fprintf(stderr, "http: %s:%d from %s: %s\n", options.address, options.port, options.root,
            strerror(errno));
  }
  if (opened) {
    printf("listening on %s:%d\n", options.address, options.port);
    fflush(stdout);
    server.run(before);
  }
  plx_exit();
  return opened ? 0 : 1;
}
