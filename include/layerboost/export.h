// What the shared library shows of itself: everything else in it is hidden.
#pragma once

/// Marks a class or a function of the public face.
#define LAYERBOOST_API __attribute__((visibility("default")))
