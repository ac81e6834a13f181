// Gives a network the BatchNorm statistics of a folder of images, DICOM objects or arrays, in the file's own format:
//   recalibrate NETWORK ARCHITECTURE DATA PREPROCESSING OUT
#include <iostream>
#include <shiftnorm/toolkit/recalibrate.hpp>

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const auto adapted =
      shiftnorm::recalibrate({.checkpoint = argv[1], .architecture = argv[2], .data = argv[3], .preprocess = argv[4]});
  std::cout << adapted.images << " images, " << adapted.settling.worst()->name << '\n';
  adapted.write(argv[5]);
}
