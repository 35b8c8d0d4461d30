#include "cli/cli.h"

int main(int argc, char** argv) { return layerboost::run_command_line(argc, argv); }
