// The controller of levels, under load that is made up and time that is set.
#include "engine/levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace layerboost {
namespace {

constexpr int cap = 20;

/// Level n keeps so much of what level 0 keeps.
double kept(int level) { return 1 - 0.03 * level; }

LevelOptions options_for_tests() {
  LevelOptions options;
  options.mode = LevelMode::automatic;
  options.cap = cap;
  options.first_token = 10;
  options.between_tokens = 0.3;
  options.cooldown = 5;
  for (int level = 0; level <= cap; ++level) options.cost.push_back(1 - 0.02 * level);
  return options;
}

/// Where level 0 needs `load` of the memory.
LevelSignals memory_load(double load) {
  LevelSignals signals;
  for (int level = 0; level <= cap; ++level) signals.memory.push_back(load * kept(level));
  return signals;
}

/// A time at each level that is `seconds` at one of them, `share` of which gets shorter by what levels cost.
std::vector<double> time_of(double seconds, int level = 0, double share = 1) {
  const std::vector<double>& cost = options_for_tests().cost;
  std::vector<double> times;
  for (int to = 0; to <= cap; ++to)
    times.push_back(seconds *
                    (1 - share + share * cost[static_cast<std::size_t>(to)] / cost[static_cast<std::size_t>(level)]));
  return times;
}

struct Course {
  std::vector<double> times;  // of changes
  std::vector<int> levels;    // after each tick
  int most_in_cooldown = 0;   // changes
};

/// Ticks ten times a second for `seconds`; `load` of the time is what level 0 needs of the memory.
Course run(LevelController& controller, double seconds, const std::function<LevelSignals(double, int)>& load) {
  Course course;
  for (int i = 0; i < static_cast<int>(seconds * 10); ++i) {
    const double now = 1000 + 0.1 * i;
    const int before = controller.level(), level = controller.tick(now, load(now - 1000, before));
    if (level != before) course.times.push_back(now);
    course.levels.push_back(level);
    course.most_in_cooldown =
        std::max(course.most_in_cooldown,
                 static_cast<int>(std::ranges::count_if(course.times, [&](double when) { return now - when < 4.99; })));
    EXPECT_GE(level, 0);
    EXPECT_LE(level, cap);
  }
  return course;
}

TEST(Levels, LittleLoadChangesNothing) {
  LevelController controller(options_for_tests());
  const Course course = run(controller, 60, [](double, int) { return memory_load(0.9); });
  EXPECT_TRUE(course.times.empty());
}

TEST(Levels, ConstantLoadIsAnsweredOnce) {
  for (const double load : {1.01, 1.1, 1.5, 2.2, 5.0}) {
    LevelController controller(options_for_tests());
    const Course course = run(controller, 120, [&](double, int) { return memory_load(load); });
    EXPECT_EQ(course.times.size(), 1U) << load;
    EXPECT_EQ(course.times.front(), 1000) << load;  // at once
    EXPECT_EQ(controller.changes()[static_cast<std::size_t>(LevelCause::memory)], 1);
    const int level = controller.level();
    EXPECT_TRUE(level == cap || load * kept(level) <= LevelController::margin) << load;
    EXPECT_GT(load * kept(level - 1), LevelController::margin);
    EXPECT_TRUE(load < 2 || level == cap);
  }
}

TEST(Levels, NoiseAroundALimitDoesNotFlap) {
  LevelController controller(options_for_tests());
  const Course course =
      run(controller, 600, [](double t, int) { return memory_load(1 + 0.08 * std::sin(7 * t) + 0.05 * std::cos(t)); });
  EXPECT_LE(course.times.size(), 3U);
}

TEST(Levels, StepsBurstsAndSawteethChangeItAtMostTwiceInACoolDown) {
  const std::function<double(double)> loads[] = {
      [](double t) { return t < 60    ? 0.5
                            : t < 120 ? 1.6
                                      : 0.7; },
      [](double t) { return std::fmod(t, 20) < 2 ? 1.9 : 0.4; },
      [](double t) { return 0.3 + 1.7 * std::fmod(t, 40) / 40; },
      [](double t) { return 2 - 1.7 * std::fmod(t, 7) / 7; },
      [](double t) { return std::fmod(t, 1) < 0.5 ? 0.2 : 3; },
      [](double t) {
        return t < 0.05 ? 1.2 : t < 5.15 ? 0.5 : t < 5.25 ? 1.6 : 2.2;
      },  // up, down, up and up
  };
  for (const auto& load : loads) {
    LevelController controller(options_for_tests());
    const Course course = run(controller, 300, [&](double t, int) { return memory_load(load(t)); });
    EXPECT_LE(course.most_in_cooldown, 2);
    EXPECT_GT(std::ranges::max(course.levels), 0);
  }
}

TEST(Levels, WhatMemoryAsksForIsToldBeforeTheNextChangeIsAllowed) {
  LevelController controller(options_for_tests());
  controller.tick(0, memory_load(1.1));
  controller.tick(0.1, memory_load(1.5));
  const int level = controller.level();
  EXPECT_EQ(controller.memory_level(), 12);  // 1.5 (1 - 0.03 n) <= 1
  EXPECT_EQ(controller.tick(0.2, memory_load(2.2)), level);
  EXPECT_EQ(controller.memory_level(), 19);
  EXPECT_EQ(controller.tick(5.2, memory_load(2.2)), cap);
}

TEST(Levels, ARampNeverLeavesMemoryShortForLong) {
  LevelController controller(options_for_tests());
  int short_of = 0;
  for (int i = 0; i < 1200; ++i) {
    const double load = 0.5 + 1.5 * i / 1200;  // over two minutes; the cap has room for 2
    short_of += load * kept(controller.tick(0.1 * i, memory_load(load))) > 1 ? 1 : 0;
  }
  EXPECT_EQ(short_of, 0);
}

TEST(Levels, WhereHigherLevelsKeepNoLessNothingIsGivenUp) {
  // Short sequences: a window's sinks and whole pages take as much as all of their positions, or more.
  LevelSignals signals;
  for (const double slope : {0.0, 0.001, 0.02, -0.0009}) {
    LevelController controller(options_for_tests());
    signals.memory.clear();
    for (int level = 0; level <= cap; ++level) signals.memory.push_back(1.2 * (1 + slope * level));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(controller.tick(i, signals), 0) << slope;
    EXPECT_EQ(controller.memory_level(), 0);
  }
  // A level that is enough is taken, also where those below it need hardly more.
  for (const double least : {0.6, 0.85, 0.97, 0.99, 1.0}) {
    LevelController enough(options_for_tests());
    signals.memory.assign(cap + 1, least);
    for (int level = 0; level < 4; ++level)
      signals.memory[static_cast<std::size_t>(level)] =
          std::array{1.3, 1.2, 1.1, 1.03}[static_cast<std::size_t>(level)];
    EXPECT_EQ(enough.tick(0, signals), 4) << least;
    EXPECT_EQ(enough.memory_level(), 4) << least;
    EXPECT_EQ(enough.tick(1000, signals), 4) << least;
  }
  // What hovers a little around the least doesn't flap.
  LevelController hovering(options_for_tests());
  const Course course = run(hovering, 120, [](double t, int) {
    LevelSignals s;
    for (int level = 0; level <= cap; ++level) s.memory.push_back(level < 9 ? 1.2 * (1.035 + 0.01 * std::sin(t)) : 1.2);
    return s;
  });
  EXPECT_LE(course.times.size(), 1U);
  // A few levels help, those above them take more again.
  LevelController controller(options_for_tests());
  signals.memory.clear();
  for (int level = 0; level <= cap; ++level) signals.memory.push_back(1.5 + 0.01 * std::pow(level - 6, 2));
  const int level = controller.tick(0, signals);
  EXPECT_GT(level, 0);
  EXPECT_LE(level, 6);
  EXPECT_EQ(controller.tick(1000, signals), level);
}

TEST(Levels, FallsByOneInEachCoolDownAndReachesZeroWhenIdle) {
  LevelController controller(options_for_tests());
  controller.tick(0, memory_load(5));
  ASSERT_EQ(controller.level(), cap);
  for (int i = 1; i <= 10 * 5 * (cap + 2); ++i) {
    const int before = controller.level();
    EXPECT_GE(controller.tick(0.1 * i, memory_load(0)), before - 1);
    EXPECT_GE(controller.level(), cap - i / 50);
  }
  EXPECT_EQ(controller.level(), 0);
  EXPECT_EQ(controller.changes()[static_cast<std::size_t>(LevelCause::idle)], cap);
}

TEST(Levels, WhatWasSleptThroughCountsAsCoolDown) {
  LevelController controller(options_for_tests());
  controller.tick(0, memory_load(5));
  controller.tick(1, memory_load(0));
  EXPECT_EQ(controller.tick(1 + 3 * 5 + 0.5, memory_load(0)), cap - 3);
  EXPECT_EQ(controller.tick(1 + 1000, memory_load(0)), 0);
}

TEST(Levels, TimesRaiseItByWhatTheLevelsCost) {
  // A step takes 0.36 s at level 0, and less by what the levels save: 0.3 at level 9, 0.24 at 17.
  LevelController controller(options_for_tests());
  const LevelOptions options = options_for_tests();
  const Course course = run(controller, 120, [&](double, int level) {
    LevelSignals signals = memory_load(0.1);
    signals.between_tokens = time_of(0.36 * options.cost[static_cast<std::size_t>(level)], level);
    return signals;
  });
  EXPECT_EQ(course.times.size(), 1U);
  EXPECT_EQ(controller.level(), 17);
  EXPECT_EQ(controller.changes()[static_cast<std::size_t>(LevelCause::between_tokens)], 1);
}

TEST(Levels, TimesThatNoLevelShortensDoNotRaiseIt) {
  for (const bool first : {false, true}) {
    LevelController controller(options_for_tests());
    LevelSignals signals = memory_load(0.1);
    const auto set = [&](double share) {
      (first ? signals.first_token : signals.between_tokens) = time_of(first ? 20 : 0.6, controller.level(), share);
    };
    set(0.1);  // the cap would save 4 %
    EXPECT_EQ(controller.tick(0, signals), 0);
    set(0.15);  // and now 6 %, which isn't enough, but something
    EXPECT_EQ(controller.tick(1, signals), cap);
    for (int i = 2; i < 200; ++i) {
      set(0.05);
      controller.tick(i, signals);
    }
    EXPECT_EQ(controller.level(), 0);
  }
}

TEST(Levels, ATimeThatOnlyTheMarginMakesHopelessChangesNothing) {
  LevelController controller(options_for_tests());
  LevelSignals signals = memory_load(0.1);
  signals.between_tokens = time_of(0.306, 0, 0.1);  // level 10 would do; with the margin none would; the cap saves 4 %
  for (int i = 0; i < 20; ++i) EXPECT_EQ(controller.tick(i, signals), 0);
  const int before = controller.tick(20, memory_load(1.1));
  ASSERT_GT(before, 0);
  EXPECT_EQ(controller.tick(20.1, signals), before) << "down without a cool-down";
  for (std::size_t cause = 1; cause < level_causes; ++cause) EXPECT_EQ(controller.changes()[cause], 0);
}

TEST(Levels, TimesThatFollowSlowlyDoNotRaiseItTwice) {
  LevelController controller(options_for_tests());
  LevelSignals signals = memory_load(0.1);
  signals.first_token = time_of(10.5);
  const int level = controller.tick(0, signals);
  EXPECT_GT(level, 0);
  EXPECT_LT(level, cap);
  signals.first_token = time_of(10.5, level);  // as measured yet
  for (int i = 1; i < 50; ++i) EXPECT_EQ(controller.tick(0.1 * i, signals), level);
  EXPECT_GT(controller.tick(5, signals), level);
}

TEST(Levels, ATimeThatDecidesCountsOnceAlsoBesideMemory) {
  LevelController controller(options_for_tests());
  LevelSignals signals = memory_load(1.05);  // level 8 would do
  signals.first_token = time_of(10.3);       // and here 12, for with the margin 8 s are wanted
  const int level = controller.tick(0, signals);
  signals.first_token = time_of(10.3, level);
  EXPECT_EQ(level, 12);
  EXPECT_EQ(controller.changes()[static_cast<std::size_t>(LevelCause::first_token)], 1);
  for (int i = 1; i < 50; ++i) EXPECT_EQ(controller.tick(0.1 * i, signals), level);
}

TEST(Levels, WithoutTargetsTimesDoNotCount) {
  LevelOptions options = options_for_tests();
  options.first_token = options.between_tokens = 0;
  LevelController controller(options);
  LevelSignals signals = memory_load(0.5);
  signals.first_token = signals.between_tokens = time_of(1e9);
  EXPECT_EQ(controller.tick(0, signals), 0);
}

TEST(Levels, TheCapIsAllThatThereIs) {
  LevelOptions options = options_for_tests();
  options.cap = 0;
  LevelController controller(options);
  EXPECT_EQ(controller.tick(0, {{50}, {1e6}, {1e6}}), 0);
}

TEST(Levels, CapsByLengthAreThePapers) {
  EXPECT_EQ(length_cap(2047, 32), 4);
  EXPECT_EQ(length_cap(2048, 32), 8);
  EXPECT_EQ(length_cap(4096, 32), 12);
  EXPECT_EQ(length_cap(8192, 32), 16);
  EXPECT_EQ(length_cap(1, 30), 3);
}

}  // namespace
}  // namespace layerboost
