#include "exercise_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerboost::fuzz::exercise_safetensors(std::as_bytes(std::span(data, size)));
  return 0;
}
