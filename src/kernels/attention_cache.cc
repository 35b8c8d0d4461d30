// Keys and values in and out of blocks: the layouts that KvLayout describes.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "kernels/attention.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

/// Where dimension j of slot `slot` lies within one head's keys and values, in elements.
struct Places {
  bool pairs;
  std::size_t padded_key, padded_value, slots;
  std::size_t value_scales;  // where those of values begin among the slots' scales

  explicit Places(const KvLayout& layout)
      : pairs(layout.type != KvType::f32),
        padded_key(static_cast<std::size_t>(layout.padded_key())),
        padded_value(static_cast<std::size_t>(layout.padded_value())),
        slots(static_cast<std::size_t>(layout.slots)),
        value_scales(layout.has_keys() ? slots : 0) {}

  [[nodiscard]] std::size_t key(std::size_t slot, std::size_t j) const {
    return pairs ? (j / 2 * slots + slot) * 2 + j % 2 : j * slots + slot;
  }
  [[nodiscard]] std::size_t value(std::size_t slot, std::size_t j) const {
    return padded_key * slots + (pairs ? (slot / 2 * padded_value + j) * 2 + slot % 2 : slot * padded_value + j);
  }
  /// Where, in a block of int8, the scale of a slot's key lies, and that of its value, in bytes.
  [[nodiscard]] std::size_t key_scale(std::size_t slot) const { return (padded_key + padded_value) * slots + 2 * slot; }
  [[nodiscard]] std::size_t value_scale(std::size_t slot) const { return key_scale(value_scales + slot); }
};

float get(const std::uint16_t* p) { return from_bf16(*p); }
float get(const float* p) { return *p; }
float get(const std::int8_t* p) { return *p; }

float scale_at(const std::int8_t* p) {
  std::uint16_t scale = 0;
  std::memcpy(&scale, p, sizeof scale);
  return from_bf16(scale);
}

/// One position's key, or value, of one head. rounded: room for it.
void store_key(const Places& places, float* head, std::size_t slot, std::size_t d, const float* k, float* /*rounded*/) {
  for (std::size_t j = 0; j < d; ++j) head[places.key(slot, j)] = k[j];
}
void store_value(const Places& places, float* head, std::size_t slot, std::size_t d, const float* v,
                 float* /*rounded*/) {
  std::copy_n(v, d, head + places.value(slot, 0));
}

void store_key(const Places& places, std::uint16_t* head, std::size_t slot, std::size_t d, const float* k,
               std::uint16_t* rounded) {
  kernels().rows.to_bf16(k, static_cast<int>(d), rounded);
  std::uint16_t* keys = head + places.key(slot, 0);
  for (std::size_t j = 0; j < d; j += 2) std::memcpy(keys + j * places.slots, rounded + j, 2 * sizeof(std::uint16_t));
}
void store_value(const Places& places, std::uint16_t* head, std::size_t slot, std::size_t d, const float* v,
                 std::uint16_t* rounded) {
  kernels().rows.to_bf16(v, static_cast<int>(d), rounded);
  std::uint16_t* values = head + places.value(slot, 0);
  for (std::size_t j = 0; j < d; ++j) values[2 * j] = rounded[j];
}

void store_key(const Places& places, std::int8_t* head, std::size_t slot, std::size_t d, const float* k,
               std::int8_t* rounded) {
  const std::uint16_t scale = kernels().rows.to_int8_kv(k, static_cast<int>(d), rounded);
  std::memcpy(head + places.key_scale(slot), &scale, sizeof scale);
  std::int8_t* keys = head + places.key(slot, 0);
  for (std::size_t j = 0; j < d; j += 2) std::memcpy(keys + j * places.slots, rounded + j, 2);
}
void store_value(const Places& places, std::int8_t* head, std::size_t slot, std::size_t d, const float* v,
                 std::int8_t* rounded) {
  const std::uint16_t scale = kernels().rows.to_int8_kv(v, static_cast<int>(d), rounded);
  std::memcpy(head + places.value_scale(slot), &scale, sizeof scale);
  std::int8_t* values = head + places.value(slot, 0);
  for (std::size_t j = 0; j < d; ++j) values[2 * j] = rounded[j];
}

template <typename T>
void store(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
           std::ptrdiff_t stride, ScratchStack& scratch) {
  const Places places(layout);
  const int key_size = layout.key_head(), value_size = layout.value_head();
  ScratchStack::Frame frame(scratch);
  T* const rounded = frame.take<T>(static_cast<std::size_t>(std::max(key_size, value_size)));
  for (int g = 0; g < layout.kv_heads; ++g) {
    T* head = reinterpret_cast<T*>(block + layout.head_bytes() * static_cast<std::size_t>(g));
    for (int i = 0; i < count; ++i) {
      const auto slot = static_cast<std::size_t>(first_slot + i);
      const auto place = [&](const float* rows, int d) {
        return rows + i * stride + static_cast<std::ptrdiff_t>(g) * d;
      };
      if (k != nullptr) store_key(places, head, slot, static_cast<std::size_t>(key_size), place(k, key_size), rounded);
      if (v != nullptr)
        store_value(places, head, slot, static_cast<std::size_t>(value_size), place(v, value_size), rounded);
    }
  }
}

template <typename T>
void fetch(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v) {
  const Places places(layout);
  const auto at = static_cast<std::size_t>(slot);
  const auto key_size = static_cast<std::size_t>(layout.key_head());
  const auto value_size = static_cast<std::size_t>(layout.value_head());
  for (std::size_t g = 0; g < static_cast<std::size_t>(layout.kv_heads); ++g) {
    const T* head = reinterpret_cast<const T*>(block + layout.head_bytes() * g);
    const auto scale = [&](std::size_t place) {
      if constexpr (std::is_same_v<T, std::int8_t>) return scale_at(head + place);
      return 1.0F;
    };
    if (k != nullptr) {
      const float own = scale(places.key_scale(at));
      for (std::size_t j = 0; j < key_size; ++j) k[g * key_size + j] = get(head + places.key(at, j)) * own;
    }
    if (v != nullptr) {
      const float own = scale(places.value_scale(at));
      for (std::size_t j = 0; j < value_size; ++j) v[g * value_size + j] = get(head + places.value(at, j)) * own;
    }
  }
}

template <typename T>
void move(const KvLayout& from, const std::byte* source, int from_slot, const KvLayout& to, std::byte* target,
          int to_slot) {
  const Places there(from), here(to);
  const auto a = static_cast<std::size_t>(from_slot), b = static_cast<std::size_t>(to_slot);
  const auto key_size = static_cast<std::size_t>(from.key_head());
  const auto value_size = static_cast<std::size_t>(from.value_head());
  for (int g = 0; g < from.kv_heads; ++g) {
    const auto* const old = reinterpret_cast<const T*>(source + from.head_bytes() * static_cast<std::size_t>(g));
    auto* const own = reinterpret_cast<T*>(target + to.head_bytes() * static_cast<std::size_t>(g));
    for (std::size_t j = 0; j < key_size; ++j) own[here.key(b, j)] = old[there.key(a, j)];
    for (std::size_t j = 0; j < value_size; ++j) own[here.value(b, j)] = old[there.value(a, j)];
    if constexpr (std::is_same_v<T, std::int8_t>) {
      if (from.has_keys()) std::memcpy(own + here.key_scale(b), old + there.key_scale(a), sizeof(std::uint16_t));
      if (from.has_values()) std::memcpy(own + here.value_scale(b), old + there.value_scale(a), sizeof(std::uint16_t));
    }
  }
}

/// Whether what is to be written or read is there.
bool holds(const KvLayout& layout, const float* k, const float* v) {
  return (k == nullptr || layout.has_keys()) && (v == nullptr || layout.has_values());
}

}  // namespace

void clear_kv(const KvLayout& layout, std::byte* block) { std::memset(block, 0, layout.bytes()); }

void store_kv(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
              std::ptrdiff_t stride, ScratchStack& scratch) {
  LB_CHECK(layout.key_head() % 2 == 0 && layout.value_head() % 2 == 0 && holds(layout, k, v));
  LB_CHECK(first_slot >= 0 && count >= 0 && first_slot + count <= layout.slots);
  switch (layout.type) {
    case KvType::f32:
      return store<float>(layout, block, first_slot, count, k, v, stride, scratch);
    case KvType::bf16:
      return store<std::uint16_t>(layout, block, first_slot, count, k, v, stride, scratch);
    case KvType::int8:
      return store<std::int8_t>(layout, block, first_slot, count, k, v, stride, scratch);
  }
}

void load_kv(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v) {
  LB_CHECK(slot >= 0 && slot < layout.slots && holds(layout, k, v));
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
  LB_CHECK(from.type == to.type && from.kv_heads == to.kv_heads && from.content == to.content &&
           from.key_head() == to.key_head() && from.value_head() == to.value_head());
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
