// Goes on from two prompts at the same time, with the default model and the plan that comes with layerboost.
//   cmake -B build && cmake --build build && build/generate ["First prompt" "Second prompt" ...]
#include <layerboost/layerboost.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

void write_on(const std::vector<std::string>& prompts) {
  const layerboost::LanguageModel model("smollm2-135m");
  layerboost::ServingEngine engine(model);
  std::vector<std::string> texts = prompts;
  for (std::string& text : texts) {
    layerboost::GenerationRequest request;
    request.prompt = model.encode(text);
    request.max_tokens = 16;
    engine.submit(request, [&text](layerboost::Output&& output) {
      text += output.text;
      if (output.finish != layerboost::FinishReason::none) std::cout << text << "\n\n";
    });
  }
  while (engine.step()) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> prompts(argv + 1, argv + argc);
    if (prompts.empty()) prompts = {"The capital of France is", "Water boils at"};
    write_on(prompts);
  } catch (const std::exception& error) {  // layerboost::Error says what was wrong, or memory has ended
    std::cerr << error.what() << '\n';
    return 1;
  }
}
