#include "heal/lora.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace layerboost {
namespace {

const void* row_data(const Activations& x) { return x.f32(0); }

std::size_t element(Precision precision) { return precision == Precision::f32 ? 4 : 2; }

}  // namespace

std::vector<LoraSite> lora_sites(const Config& config, std::span<const MixerSpec> specs, int lowest, int rank) {
  std::vector<LoraSite> sites;
  std::size_t offset = 0;
  const auto r = static_cast<std::size_t>(rank);
  const auto add = [&](int layer, Site site, int in, std::initializer_list<std::pair<const char*, int>> parts) {
    LoraSite& made = sites.emplace_back(LoraSite{layer, site, in, {}, offset});
    offset += parts.size() * r * static_cast<std::size_t>(in);
    for (const auto& [name, out] : parts) {
      made.parts.push_back({fmt::format("layers.{}.{}", layer, name), out, offset});
      offset += r * static_cast<std::size_t>(out);
    }
  };
  const int D = config.hidden, F = config.ffn, q = config.q_size(), kv = config.kv_size();
  for (int layer = lowest; layer < config.layers; ++layer) {
    if (has_attention(specs[static_cast<std::size_t>(layer)].kind)) {
      add(layer, Site::qkv, D, {{"q", q}, {"k", kv}, {"v", kv}});
      add(layer, Site::o, q, {{"o", D}});
    }
    add(layer, Site::gate_up, D, {{"gate", F}, {"up", F}});
    add(layer, Site::down, F, {{"down", D}});
  }
  return sites;
}

std::size_t lora_size(std::span<const LoraSite> sites, int rank) {
  if (sites.empty()) return 0;
  const LoraPart& last = sites.back().parts.back();
  return last.b + static_cast<std::size_t>(rank) * static_cast<std::size_t>(last.out);
}

void initialize_lora(std::span<const LoraSite> sites, int rank, std::uint64_t seed, std::span<float> parameters) {
  const Random random(seed);
  std::uint64_t stream = 0;
  for (const LoraSite& site : sites) {
    Random mine = random.fork(stream++);
    const double bound = 1 / std::sqrt(static_cast<double>(site.in));
    const std::size_t size = site.parts.size() * static_cast<std::size_t>(rank) * static_cast<std::size_t>(site.in);
    for (std::size_t i = 0; i < size; ++i)
      parameters[site.a + i] = static_cast<float>(bound * (2 * mine.uniform() - 1));
    for (const LoraPart& part : site.parts)
      std::fill_n(parameters.begin() + static_cast<std::ptrdiff_t>(part.b), std::ptrdiff_t{rank} * part.out, 0.0F);
  }
}

namespace {

/// Calls visit(part, site, where its A lies).
template <typename Visit>
void for_each_part(std::span<const LoraSite> sites, int rank, const Visit& visit) {
  for (const LoraSite& site : sites) {
    std::size_t a = site.a;
    for (const LoraPart& part : site.parts) {
      visit(part, site, a);
      a += static_cast<std::size_t>(rank) * static_cast<std::size_t>(site.in);
    }
  }
}

}  // namespace

void put_pairs(std::span<const LoraSite> sites, int rank, std::span<const float> parameters, Adapter& adapter) {
  const auto r = static_cast<std::size_t>(rank);
  for_each_part(sites, rank, [&](const LoraPart& part, const LoraSite& site, std::size_t a) {
    const auto in = static_cast<std::size_t>(site.in), out = static_cast<std::size_t>(part.out);
    LoraPair& pair = adapter.pairs[part.name];
    pair = {rank, site.in, part.out, {}, {}};
    const auto values = parameters.subspan(a, r * in);
    pair.a.assign(values.begin(), values.end());
    pair.b.resize(out * r);
    for (std::size_t i = 0; i < r; ++i)
      for (std::size_t j = 0; j < out; ++j) pair.b[j * r + i] = parameters[part.b + i * out + j];
  });
}

void take_pairs(std::span<const LoraSite> sites, int rank, const Adapter& adapter, std::span<float> parameters) {
  const auto r = static_cast<std::size_t>(rank);
  for_each_part(sites, rank, [&](const LoraPart& part, const LoraSite& site, std::size_t a) {
    const auto found = adapter.pairs.find(part.name);
    if (found == adapter.pairs.end()) fail("the adapter to begin with has no pair for {}", part.name);
    const LoraPair& pair = found->second;
    if (pair.rank != rank || pair.in != site.in || pair.out != part.out)
      fail("the adapter to begin with has rank {} for {}: give `rank` {}", pair.rank, part.name, pair.rank);
    std::copy(pair.a.begin(), pair.a.end(), parameters.begin() + static_cast<std::ptrdiff_t>(a));
    const auto out = static_cast<std::size_t>(part.out);
    for (std::size_t i = 0; i < r; ++i)
      for (std::size_t j = 0; j < out; ++j) parameters[part.b + i * out + j] = pair.b[j * r + i];
  });
}

LoraProduct::LoraProduct(const PackedMatrix& base, PackedMatrix transposed, const LoraSite& site,
                         const LoraOptions& options)
    : base_(&base),
      transposed_(std::move(transposed)),
      site_(site),
      rank_(options.rank),
      factor_(options.rank > 0 ? static_cast<float>(options.alpha / options.rank) : 0) {
  if (rank_ == 0) return;
  const int parts = static_cast<int>(site.parts.size());
  a_ = ThinMatrix(parts * rank_, site.in, base.precision());
  for (const LoraPart& part : site.parts) b_.emplace_back(rank_, part.out, base.precision());
  t_columns_ = std::max(low_rank_columns(a_parts()), low_rank_columns(b_parts()));
}

/// All of A is one part, over the whole input.
std::vector<ThinPart> LoraProduct::a_parts() const { return {{&a_, 0, 0}}; }

std::vector<ThinPart> LoraProduct::b_parts() const {
  std::vector<ThinPart> parts;
  std::ptrdiff_t column = 0;
  for (std::size_t p = 0; p < b_.size(); ++p) {
    parts.push_back({&b_[p], static_cast<int>(p) * rank_, column});
    column += site_.parts[p].out;
  }
  return parts;
}

void LoraProduct::assign(std::span<const float> parameters) {
  if (rank_ == 0) return;
  a_.assign(parameters.data() + site_.a, 1);
  for (std::size_t p = 0; p < b_.size(); ++p) b_[p].assign(parameters.data() + site_.parts[p].b, factor_);
}

Product LoraProduct::forward(const Activations& x, float* y, void* kept, Profile& profile,
                             KernelScratch& scratch) const {
  Product product;
  {
    const Profile::Scope time(profile, Phase::forward_products);
    product = base_->multiply(x, y, scratch);
  }
  if (rank_ == 0) return product;
  const Profile::Scope time(profile, Phase::lora);
  // B's gradient is alpha / r times dy^T t: the factor goes into what is kept of t.
  low_rank_update({a_parts(), b_parts(), row_data(x), x.cols(), y, product.cols, x.rows(), kept, factor_}, scratch);
  return product;
}

void LoraProduct::update_gradient(const Activations& dy, float* dx, AlignedBuffer& d_kept,
                                  KernelScratch& scratch) const {
  void* const kept = d_kept.reserve(kept_size() * element(dy.precision()));
  const std::vector<ThinPart> up = dx != nullptr ? a_parts() : std::vector<ThinPart>();
  low_rank_update({b_parts(), up, row_data(dy), dy.cols(), dx, a_.cols(), dy.rows(), kept, 1}, scratch);
}

void LoraProduct::input_gradient(const Activations& dy, float* dx, AlignedBuffer& d_kept, Profile& profile,
                                 KernelScratch& scratch) const {
  {
    const Profile::Scope time(profile, Phase::backward_products);
    transposed_.multiply(dy, dx, scratch);
  }
  if (rank_ == 0) return;
  const Profile::Scope time(profile, Phase::lora);
  update_gradient(dy, dx, d_kept, scratch);
}

void LoraProduct::pair_gradients(const Activations& dy, const Activations& x, const void* kept, AlignedBuffer& d_kept,
                                 std::span<float> gradients, Profile& profile, KernelScratch& scratch,
                                 bool alone) const {
  if (rank_ == 0) return;
  const Profile::Scope time(profile, Phase::lora);
  if (alone) update_gradient(dy, nullptr, d_kept, scratch);
  const std::size_t size = element(dy.precision());
  std::vector<OuterProducts> products;
  for (const ThinPart& part : b_parts()) {
    const auto* const t =
        static_cast<const std::byte*>(kept) + static_cast<std::size_t>(part.t_column) * low_rank_rows * size;
    const auto* const columns =
        static_cast<const std::byte*>(row_data(dy)) + static_cast<std::size_t>(part.column) * size;
    float* const g = gradients.data() + site_.parts[products.size()].b;
    products.push_back({t, columns, dy.cols(), rank_, part.matrix->cols(), g});
  }
  products.push_back({d_kept.data(), row_data(x), x.cols(), a_.rank(), x.cols(), gradients.data() + site_.a});
  add_outer_products(products, dy.rows(), dy.precision());
}

}  // namespace layerboost
