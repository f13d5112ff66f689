#!/bin/sh
# Makes the models in 8 bits that ship, from the float ones that ship (docs/slim.md): ranges from 256 rendered pictures with a
# fixed seed, LSTM's products too. Minutes on one core; what stands in OUT is not made again, so that it goes on where it was
# cut.
#
#   docs/recipes/slim.sh OUT FONTS [MODEL…]
#
# FONTS is what `make fonts` fetches. OUT/MODEL-int8.safetensors are the files, OUT/runs what they came from. To ship them:
# copy them to crnn_jt/bundled and run the tests of what ships (tests/crnn_jt/test_shipped_slim.py, tests/ocr/test_shipped.py).
set -eu
out=${1:?a folder for the files} fonts=${2:?a folder of fonts}
shift 2
python=${PYTHON:-python3}

for name in ${*:-crnn-light line-light db-light direction-light}; do
  [ -e "$out/$name-int8.safetensors" ] && continue
  case $name in crnn-light) batch=4 ;; db-light) batch=8 ;; *) batch=16 ;; esac  # a range: the mean of their greatest
  $python -m crnn_jt compress calibrate --weights "$name" --recurrent --seed 0 --batch-size $batch --workers 0 \
    --fonts "$fonts" --out "$out/runs/$name"
  $python -m crnn_jt pack --weights "$out/runs/$name/calibrated.safetensors" --out "$out/$name-int8.safetensors"
done
