// Keys and values in and out of blocks: the layouts that KvLayout describes.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "kernels/activations.h"
#include "kernels/attention.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

/// Where dimension j of slot `slot` lies within one head's keys and values, in elements.
struct Places {
  bool pairs;
  std::size_t padded, slots;

  explicit Places(const KvLayout& layout)
      : pairs(layout.type != KvType::f32),
        padded(static_cast<std::size_t>(layout.padded_head())),
        slots(static_cast<std::size_t>(layout.slots)) {}

  [[nodiscard]] std::size_t key(std::size_t slot, std::size_t j) const {
    return pairs ? (j / 2 * slots + slot) * 2 + j % 2 : j * slots + slot;
  }
  [[nodiscard]] std::size_t value(std::size_t slot, std::size_t j) const {
    return padded * slots + (pairs ? (slot / 2 * padded + j) * 2 + slot % 2 : slot * padded + j);
  }
  /// Of int8: where the scale of a slot's key lies, in bytes; that of its value is value_scale() further.
  [[nodiscard]] std::size_t key_scale(std::size_t slot) const { return 2 * padded * slots + 2 * slot; }
  [[nodiscard]] std::size_t value_scale(std::size_t slot) const { return key_scale(slots + slot); }
};

float get(const std::uint16_t* p) { return from_bf16(*p); }
float get(const float* p) { return *p; }
float get(const std::int8_t* p) { return *p; }

float scale_at(const std::int8_t* p) {
  std::uint16_t scale = 0;
  std::memcpy(&scale, p, sizeof scale);
  return from_bf16(scale);
}

/// One position's key and value of one head.
void store_head(const Places& places, float* head, std::size_t slot, std::size_t d, const float* k, const float* v) {
  for (std::size_t j = 0; j < d; ++j) head[places.key(slot, j)] = k[j];
  std::copy_n(v, d, head + places.value(slot, 0));
}

void store_head(const Places& places, std::uint16_t* head, std::size_t slot, std::size_t d, const float* k,
                const float* v) {
  thread_local AlignedBuffer buffer;
  auto* rounded = buffer.reserve_as<std::uint16_t>(d);
  const RowKernels& rows = kernels().rows;
  rows.to_bf16(k, static_cast<int>(d), rounded);
  std::uint16_t* keys = head + places.key(slot, 0);
  for (std::size_t j = 0; j < d; j += 2) std::memcpy(keys + j * places.slots, rounded + j, 2 * sizeof(std::uint16_t));
  rows.to_bf16(v, static_cast<int>(d), rounded);
  std::uint16_t* values = head + places.value(slot, 0);
  for (std::size_t j = 0; j < d; ++j) values[2 * j] = rounded[j];
}

void store_head(const Places& places, std::int8_t* head, std::size_t slot, std::size_t d, const float* k,
                const float* v) {
  thread_local AlignedBuffer buffer;
  auto* rounded = buffer.reserve_as<std::int8_t>(d);
  const RowKernels& rows = kernels().rows;
  const std::uint16_t key_scale = rows.to_int8_kv(k, static_cast<int>(d), rounded);
  std::memcpy(head + places.key_scale(slot), &key_scale, sizeof key_scale);
  std::int8_t* keys = head + places.key(slot, 0);
  for (std::size_t j = 0; j < d; j += 2) std::memcpy(keys + j * places.slots, rounded + j, 2);
  const std::uint16_t value_scale = rows.to_int8_kv(v, static_cast<int>(d), rounded);
  std::memcpy(head + places.value_scale(slot), &value_scale, sizeof value_scale);
  std::int8_t* values = head + places.value(slot, 0);
  for (std::size_t j = 0; j < d; ++j) values[2 * j] = rounded[j];
}

template <typename T>
void store(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
           std::ptrdiff_t stride) {
  const Places places(layout);
  const auto d = static_cast<std::size_t>(layout.head_size);
  for (int g = 0; g < layout.kv_heads; ++g) {
    T* head = reinterpret_cast<T*>(block + layout.head_bytes() * static_cast<std::size_t>(g));
    for (int i = 0; i < count; ++i) {
      const std::ptrdiff_t row = i * stride + static_cast<std::ptrdiff_t>(g) * layout.head_size;
      store_head(places, head, static_cast<std::size_t>(first_slot + i), d, k + row, v + row);
    }
  }
}

template <typename T>
void fetch(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v) {
  const Places places(layout);
  const auto d = static_cast<std::size_t>(layout.head_size);
  for (int g = 0; g < layout.kv_heads; ++g, k += d, v += d) {
    const T* head = reinterpret_cast<const T*>(block + layout.head_bytes() * static_cast<std::size_t>(g));
    const auto at = static_cast<std::size_t>(slot);
    float key_scale = 1, value_scale = 1;
    if constexpr (std::is_same_v<T, std::int8_t>) {
      key_scale = scale_at(head + places.key_scale(at));
      value_scale = scale_at(head + places.value_scale(at));
    }
    for (std::size_t j = 0; j < d; ++j) {
      k[j] = get(head + places.key(at, j)) * key_scale;
      v[j] = get(head + places.value(at, j)) * value_scale;
    }
  }
}

template <typename T>
void move(const KvLayout& from, const std::byte* source, int from_slot, const KvLayout& to, std::byte* target,
          int to_slot) {
  const Places there(from), here(to);
  const auto a = static_cast<std::size_t>(from_slot), b = static_cast<std::size_t>(to_slot);
  for (int g = 0; g < from.kv_heads; ++g) {
    const auto* const old = reinterpret_cast<const T*>(source + from.head_bytes() * static_cast<std::size_t>(g));
    auto* const own = reinterpret_cast<T*>(target + to.head_bytes() * static_cast<std::size_t>(g));
    for (std::size_t j = 0; j < static_cast<std::size_t>(from.head_size); ++j) {
      own[here.key(b, j)] = old[there.key(a, j)];
      own[here.value(b, j)] = old[there.value(a, j)];
    }
    if constexpr (std::is_same_v<T, std::int8_t>) {
      std::memcpy(own + here.key_scale(b), old + there.key_scale(a), sizeof(std::uint16_t));
      std::memcpy(own + here.value_scale(b), old + there.value_scale(a), sizeof(std::uint16_t));
    }
  }
}

}  // namespace

void clear_kv(const KvLayout& layout, std::byte* block) { std::memset(block, 0, layout.bytes()); }

void store_kv(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
              std::ptrdiff_t stride) {
  LB_CHECK(layout.head_size % 2 == 0 && first_slot >= 0 && count >= 0 && first_slot + count <= layout.slots);
  switch (layout.type) {
    case KvType::f32:
      return store<float>(layout, block, first_slot, count, k, v, stride);
    case KvType::bf16:
      return store<std::uint16_t>(layout, block, first_slot, count, k, v, stride);
    case KvType::int8:
      return store<std::int8_t>(layout, block, first_slot, count, k, v, stride);
  }
}

void load_kv(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v) {
  LB_CHECK(slot >= 0 && slot < layout.slots);
  switch (layout.type) {
    case KvType::f32:
      return fetch<float>(layout, block, slot, k, v);
    case KvType::bf16:
      return fetch<std::uint16_t>(layout, block, slot, k, v);
    case KvType::int8:
      return fetch<std::int8_t>(layout, block, slot, k, v);
  }
}

void move_kv(const KvLayout& from, const std::byte* source, int from_slot, const KvLayout& to, std::byte* target,
             int to_slot) {
  LB_CHECK(from.type == to.type && from.kv_heads == to.kv_heads && from.head_size == to.head_size);
  LB_CHECK(from_slot >= 0 && from_slot < from.slots && to_slot >= 0 && to_slot < to.slots);
  switch (from.type) {
    case KvType::f32:
      return move<float>(from, source, from_slot, to, target, to_slot);
    case KvType::bf16:
      return move<std::uint16_t>(from, source, from_slot, to, target, to_slot);
    case KvType::int8:
      return move<std::int8_t>(from, source, from_slot, to, target, to_slot);
  }
}

}  // namespace layerboost
