#include "exercise_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerboost::fuzz::exercise_gguf(std::as_bytes(std::span(data, size)));
  return 0;
}
