// What the shared library shows of itself. LAYERBOOST_API marks the classes and functions of these headers; everything
// else in the library is hidden, can't be linked against, and may change at any time. The mark is for those who build
// the library: programs that use it have nothing to define or to mark.
#pragma once

/// Marks a class or a function of the public face.
#define LAYERBOOST_API __attribute__((visibility("default")))
