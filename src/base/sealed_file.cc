#include "base/sealed_file.h"

#include <openssl/evp.h>

#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr std::size_t digits = 64;

}  // namespace

struct SealedWriter::Digest {
  Digest() : context(EVP_MD_CTX_new()) { LB_CHECK(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
  ~Digest() { EVP_MD_CTX_free(context); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(std::string_view bytes) const { LB_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1); }
  [[nodiscard]] std::string hex() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    LB_CHECK(EVP_DigestFinal_ex(context, digest, &length) == 1);
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
  }

  EVP_MD_CTX* context;
};

SealedWriter::SealedWriter(fs::path path) : writer_(std::move(path)), digest_(std::make_unique<Digest>()) {}

SealedWriter::~SealedWriter() = default;

void SealedWriter::write(std::string_view bytes) {
  digest_->add(bytes);
  writer_.write(bytes);
}

void SealedWriter::finish() {
  writer_.write(digest_->hex());
  writer_.finish();
}

std::string sealed(std::string content) {
  content += sha256(content);
  return content;
}

std::optional<std::string_view> unsealed(std::string_view file) {
  if (file.size() < digits) return {};
  const std::string_view content = file.substr(0, file.size() - digits);
  if (sha256(content) != file.substr(content.size())) return {};
  return content;
}

Json sealed_json(Json object) {
  object.erase("hash");
  object["hash"] = content_hash(object.dump());
  return object;
}

bool is_sealed(const Json& object) {
  return object.is_object() && object.contains("hash") && object["hash"] == sealed_json(object)["hash"];
}

}  // namespace layerboost
