// What a token of a prompt costs, learnt from the steps that read some.
#pragma once

#include "model/config.h"

namespace layerboost {

/// The time for a token of a prompt is taken for a straight line over the bytes that the layers keep of what comes
/// before it: products cost the same for each token, attention by what it looks at. As plans differ in these bytes,
/// short prompts and long ones tell what a plan would save that hasn't been tried yet. While lengths have hardly
/// differed the line's slope is that of the arithmetic: as if attention multiplied as fast as products do. Products
/// always keep a tenth of the time, so that noise can't put all of it down to attention.
class PromptCost {
 public:
  explicit PromptCost(const Config& config);

  /// In a step each token took so many seconds, of which the layers kept `bytes`; both are means over its tokens.
  void measure(double bytes, double seconds);

  /// The time of a token of which the layers keep `bytes`: in seconds once known(), before in a unit of its own.
  [[nodiscard]] double seconds(double bytes) const { return seconds_ + slope() * (bytes - bytes_); }
  [[nodiscard]] bool known() const { return steps_ > 0; }

 private:
  [[nodiscard]] double slope() const;

  const double predicted_;                // the slope by arithmetic, where the products for a token take 1
  double steps_ = 0;                      // those measured, up to as many as count
  double bytes_ = 0, seconds_ = 1;        // the means over these steps
  double variance_ = 0, covariance_ = 0;  // of the bytes, and theirs with the seconds
};

}  // namespace layerboost
