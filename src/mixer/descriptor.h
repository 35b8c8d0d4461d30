// All that the rest of the program needs to know of a kind of mixer. Each kind has one MixerDescriptor, in the files of
// its own name, and mixer/kinds.h lists them all; planner, cost model, caches, healing, export and report read
// descriptors and know no kind by name. A plan has for each layer a MixerSpec (mixer/spec.h), a kind and its numbers,
// written "window:64+4". Of a spec the descriptor makes the serving side (Mixer) and the training side (MixerCore), and
// says which weights it uses, what it costs and keeps, and how it is drawn and described. Descriptors are constants:
// they know nothing of a particular model or sequence, whose mixers a MixerSet makes and keeps (mixer/mixers.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mixer/parameters.h"
#include "mixer/place.h"
#include "mixer/spec.h"
#include "model/mixer.h"

namespace layerboost {

class MixerCore;

/// How long a decode step takes that has the mixer in one layer, and what the layer keeps of a sequence of `length`
/// positions. (Its products follow from MixerDescriptor::weights: Wqkv and Wo where these are AttentionParts::all.)
struct CostLaw {
  /// What cost models and their files call the measured times of this kind's steps; nullptr: a step takes no time.
  const char* name;
  /// The positions whose keys and values a sequence has in the cache, and which a step reads, summed over KV heads.
  std::int64_t (*positions)(const MixerSpec& spec, int kv_heads, int length);
  /// Bytes of what it keeps beside keys and values: none up to some length, from then on always as many. Each step that
  /// reads a token reads all of them and writes all of them back.
  std::size_t (*state_bytes)(const Config& config, const MixerSpec& spec, int length);
};

/// What exported models say of the kind.
struct ExportWords {
  const char* layer_type;  // in Hugging Face's "layer_types": for what it keeps of a sequence
  const char* meaning;     // in the model card, after the mixer's written form
};

/// How plans are drawn in the terminal.
struct TerminalLook {
  /// One letter; or one for the narrowest window of several in a plan, and one for all others.
  const char* letters;
  /// Whether more than two windows have the digits 1, 2, ... instead, by rising width.
  bool numbered;
  const char* color;  // parameters of ANSI's "select graphic rendition"
};

/// What the report's page (web/mixers.js) says of the kind and computes of it. In words, "{window}" stands for w.
struct PageLook {
  const char* letter;
  const char* name;   // after "a": "window of {window}"
  const char* does;   // a sentence; of kinds with a window, how the sentence about that ends
  const char* style;  // the class of parts.css that its cells have; "other" is there for all
  const char* keeps;  // CostLaw::positions: "all", "window" (and sinks; all in full heads), "nothing"
};

struct MixerDescriptor {
  MixerKind kind;
  const char* name;                   // "window"; what its written form begins with
  std::span<const SpecField> fields;  // what follows the name in the written form
  bool full_heads;                    // whether "/full:HEAD,.." may follow: KV heads that keep everything
  std::span<const char* const>
      variants;         // names that may follow, "KIND:NAME+NAME"; at most 8; none for kinds with fields
  const char* grammar;  // for people: "hybrid:W or hybrid:W+S"
  bool replacement;     // whether analysis may try it in place of a layer's own mixer

  AttentionParts weights;  // what it uses of the layer's attention
  /// The tensors of its own parameters, in order; nullptr: it has none.
  std::vector<ParameterShape> (*parameter_shapes)(const Config& config, const MixerSpec& spec);
  /// What they start with before anything is learned, flat; nullptr: it has none, or they are fitted.
  std::vector<float> (*initial_parameters)(const Config& config, const MixerSpec& spec);
  /// Its parameters are a linear map of the layer's normalised input, weight [D, D] and bias [D], which analysis fits,
  /// plans name a file of, and healing leaves as they are.
  bool fitted_map;
  /// Whether it can take over what another kind kept of a sequence: Mixer::fold().
  bool (*folds)(const MixerSpec& spec);

  /// The serving mixer. parameters: as parameter_shapes() says.
  std::unique_ptr<Mixer> (*make)(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters);
  /// The training side; nullptr: nothing in it learns. parameters: as above.
  std::unique_ptr<MixerCore> (*make_core)(const Model& model, const MixerSpec& spec, std::span<const float> parameters);

  CostLaw cost;
  /// Which memory what it keeps is counted in; none: it keeps nothing. Its exact growth is Mixer::cache_bytes().
  std::optional<CacheAccount> account;
  ExportWords exported;
  TerminalLook terminal;
  PageLook page;
};

/// CostLaw::positions of kinds that keep all, w + s (and all in MixerSpec::full), and none of them.
std::int64_t all_positions(const MixerSpec& spec, int kv_heads, int length);
std::int64_t window_positions(const MixerSpec& spec, int kv_heads, int length);
std::int64_t no_positions(const MixerSpec& spec, int kv_heads, int length);
/// MixerDescriptor::folds of kinds that always can, and that never can.
bool always_folds(const MixerSpec& spec);
bool never_folds(const MixerSpec& spec);
/// CostLaw::positions of the spec's kind, the mean over KV heads.
double mean_positions(const MixerSpec& spec, int kv_heads, int length);
/// CostLaw::state_bytes of kinds that keep keys and values only.
std::size_t no_state(const Config& config, const MixerSpec& spec, int length);

/// ExportWords::layer_type of a layer: what keeps everything in some heads is full attention, as transformers count.
const char* exported_layer_type(const MixerSpec& spec);

}  // namespace layerboost
