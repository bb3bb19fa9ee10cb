# shellcheck shell=bash disable=SC2154
# One-off ECS tasks.

# run_once FAMILY CONTAINER COMMAND-JSON: start a task, wait for it, require exit code 0. []: the image's command.
run_once() {
  step "Running $2 once: $3"
  local overrides='{}' network task code
  [ "$3" = '[]' ] || overrides=$(jq -n --arg name "$2" --argjson command "$3" '{containerOverrides: [{name: $name, command: $command}]}')
  network=$(output '.one_off.value | {awsvpcConfiguration: {subnets, securityGroups: [.security_group],
    assignPublicIp: (if .is_public_address then "ENABLED" else "DISABLED" end)}} | tojson')
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$1" --launch-type FARGATE --started-by deploy.sh \
    --network-configuration "$network" --overrides "$overrides" --query 'tasks[0].taskArn' --output text) || task=None
  [ "$task" != None ] || die "$2 could not be started" "aws ecs describe-services --cluster $cluster reports missing capacity"
  await_end "$task"
  code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text) || code=unknown
  [ "$code" = 0 ] || die "$2 ended with code $code" "aws logs tail /ecs/$1"
  log "done"
}

# Training takes longer than the ten minutes that `aws ecs wait` allows.
await_end() {
  local deadline=$((SECONDS + ${TASK_MINUTES:-180} * 60))
  until aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$1" 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || die "the task $1 did not end in time" "see its log; TASK_MINUTES sets the limit"
    sleep 5
  done
}
