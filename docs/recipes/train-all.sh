#!/bin/sh
# Goes on training the models that ship and those that will, side by side on one GPU, each from the weights that ship if
# there are any; PyTorch stands behind the seam. A renderer keeps one core busy: the shares below are for 16 cores.
#
#   docs/recipes/train-all.sh OUT MINUTES FONTS BACKGROUNDS [MODEL…]
#
# FONTS is what `make fonts` fetches, BACKGROUNDS a folder of photographs without text. Each model is a run folder in OUT that
# goes on with `--resume`; at the end OUT/MODEL.safetensors holds its weights in float16. DEVICE=cpu tries it out.
set -eu
out=$1 minutes=$2 fonts=$3 backgrounds=$4
shift 4
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
export CRNN_BACKEND=torch OMP_NUM_THREADS=1
mkdir -p "$out"

is_wanted() {  # NAME
  case " $wanted " in *" $1 "*) ;; *) return 1 ;; esac
}

run() {  # NAME ROOM-AND-COMMAND OPTION…
  name=$1 command=$2
  shift 2
  $python -m $command --out "$out/$name" --device "$device" --precision "${PRECISION:-bfloat16}" "$@" >"$out/$name.log" 2>&1
}

train() {  # NAME ROOM-AND-COMMAND OPTION…
  is_wanted "$1" || return 0
  run "$@" --minutes "$minutes" &
}

share() {  # of the minutes
  awk "BEGIN { printf \"%.2f\", $1 * $minutes }"
}

wanted=${*:-omr-light db-light line-light direction-light autostr-light abinet-light}
scenes="--fonts $fonts --backgrounds $backgrounds"
train omr-light "omr train" --config docs/recipes/omr-light.yaml --init omr-light --batch-size 128 --learning-rate 1e-3 \
  --workers 4 --echo 2 --seed 41
train db-light "ocr train detector" --config db-light --init db-light --batch-size 32 \
  --learning-rate 2e-3 --workers 5 --echo 4 --seed 42 $scenes
train line-light "crnn_jt train" --config line-light --init line-light --batch-size 128 --learning-rate 2e-3 \
  --workers 3 --echo 2 --seed 43 --fonts "$fonts"
train direction-light "ocr train direction" --config docs/recipes/direction-light.yaml \
  --init direction-light --batch-size 256 --learning-rate 2e-3 --workers 1 --echo 2 --seed 44 --fonts "$fonts"
train autostr-light "crnn_jt train" --config autostr-light --batch-size 512 --learning-rate 2e-3 --workers 2 --seed 45 \
  --fonts "$fonts"
if is_wanted abinet-light; then  # language and vision each alone, since neither can lean on the other yet, then both
  sed '/^  corrector:/d' crnn_jt/configs/abinet-light.yaml >"$out/vision.yaml"
  {
    run abinet-vision "crnn_jt train" --config "$out/vision.yaml" --init crnn-light --batch-size 256 --learning-rate 1.5e-3 \
      --workers 2 --seed 46 --fonts "$fonts" --minutes "$(share 0.6)"
    run abinet-language "crnn_jt train-language" --config abinet-light --init "$out/abinet-vision/last.safetensors" \
      --batch-size 1024 --learning-rate 2e-3 --workers 2 --seed 47 --train english:0.62 signs:0.38 --minutes "$(share 0.2)"
    run abinet-light "crnn_jt train" --config abinet-light --init "$out/abinet-language/last.safetensors" \
      --batch-size 256 --learning-rate 5e-4 --workers 2 --seed 48 --fonts "$fonts" --minutes "$(share 0.2)"
  } &
fi
wait

for name in $wanted; do
  best="$out/$name/best.safetensors"
  [ -e "$best" ] || best="$out/$name/last.safetensors"
  $python -m crnn_jt pack --weights "$best" --out "$out/$name.safetensors" || echo "$name: see $out/$name.log"
  tail -n 1 "$out/$name.log" | tr '\r' '\n' | tail -n 1
done
