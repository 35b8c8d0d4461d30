#include "base/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

namespace layerboost {
namespace {

void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest number, which is fd
  }
}

void on_lost_page(int signal, siginfo_t* info, void* /*context*/) {
  if (info->si_code == BUS_ADRERR) {  // behind a mapped file's end
    constexpr std::string_view message = "layerboost: a file was cut off while it was read\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(2);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void prepare_process() {
  open_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);
  struct sigaction action {};
  action.sa_sigaction = on_lost_page;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace layerboost
