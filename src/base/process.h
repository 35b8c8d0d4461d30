// What a process sets up before it does anything else.
#pragma once

namespace layerboost {

/// Makes sure that
/// - standard streams that were closed are open, so that no file of the program's own takes their numbers and is
///   written into: writing to such a stream fails;
/// - writing beyond the size that the system allows a file (ulimit -f) fails, and doesn't end the process;
/// - reading a mapped file that another program has cut off ends it with a message and exit code 2.
void prepare_process();

}  // namespace layerboost
