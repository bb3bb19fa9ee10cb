# shellcheck shell=bash disable=SC2154
# Tasks that run once and end.

# run_once FAMILY CONTAINER COMMAND-JSON: start it, wait for its end, insist on exit code 0. []: its own command.
run_once() {
  step "Running $2 once: $3"
  local overrides='{}' network task code
  [ "$3" = '[]' ] || overrides=$(jq -n --arg name "$2" --argjson command "$3" '{containerOverrides: [{name: $name, command: $command}]}')
  network=$(output '.one_off.value | {awsvpcConfiguration: {subnets, securityGroups: [.security_group],
    assignPublicIp: (if .is_public_address then "ENABLED" else "DISABLED" end)}} | tojson')
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$1" --launch-type FARGATE --started-by deploy.sh \
    --network-configuration "$network" --overrides "$overrides" --query 'tasks[0].taskArn' --output text) || task=None
  [ "$task" != None ] || die "$2 could not be started" "aws ecs describe-services --cluster $cluster tells of missing capacity"
  await_end "$task"
  code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text) || code=unknown
  [ "$code" = 0 ] || die "$2 ended with code $code" "aws logs tail /ecs/$1"
  say "done"
}

# Trainings last longer than the ten minutes the AWS command waits.
await_end() {
  local deadline=$((SECONDS + ${TASK_MINUTES:-180} * 60))
  until aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$1" 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || die "the task $1 does not end" "look at its log; TASK_MINUTES says how long to wait"
    sleep 5
  done
}
