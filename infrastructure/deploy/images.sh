# shellcheck shell=bash disable=SC2154
# One image each for API, dashboard, MLflow and Prefect, tagged with the commit and released by digest.

push_images() {
  step "Images of $commit"
  local name url repository is_signed_in=false
  while read -r name url; do
    repository=${url#*/}
    if [ "$(digest_of "$repository")" = None ]; then
      "$is_signed_in" || sign_in "${url%%/*}"
      is_signed_in=true
      promote "$name" "$url" || build_and_push "$name" "$url:$commit"
    fi
    log "$name $(digest_of "$repository")"
  done < <(output '.repositories.value | to_entries[] | "\(.key) \(.value)"')
}

sign_in() {
  aws ecr get-login-password | docker login --username AWS --password-stdin "$1" >/dev/null || die "login to the registry $1 failed"
}

# Production reuses the image that staging ran if both are in one account.
promote() {
  [ "$environment" = prod ] && [ "$(digest_of "air-pollution-staging/$1")" != None ] || return 1
  docker buildx imagetools create --tag "$2:$commit" "${2%%/*}/air-pollution-staging/$1:$commit" </dev/null
}

build_and_push() {
  docker build --platform linux/amd64 --build-arg "REVISION=$commit" -f "Dockerfile.$1" -t "$2" . </dev/null || die "the image of $1 cannot be built" "see the output of docker build -f Dockerfile.$1 ."
  docker push "$2" </dev/null || die "the image of $1 cannot be pushed" "run it again: images that were pushed are skipped"
}

# Digest in the registry, or None if the image is not there.
digest_of() {
  aws ecr describe-images --repository-name "$1" --image-ids "imageTag=$commit" --query 'imageDetails[0].imageDigest' --output text 2>/dev/null || echo None
}
