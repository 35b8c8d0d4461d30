#include "base/spinning.h"
#include "cli/cli.h"

int main(int argc, char** argv) {
  layerboost::limit_spinning(argv);
  return layerboost::run_command_line(argc, argv);
}
