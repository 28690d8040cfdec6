#!/bin/bash
# Deploys the cloud side into a resource group of its own: see docs/DEPLOY.md.
#
#   deploy/azure/deploy.sh GROUP dev|production IMAGE [LOCATION] [NAME=VALUE ...]
#
# DATABASE_PASSWORD and API_TOKEN come from the environment; at the first deployment both are made up where they are not set,
# and are then told once. ALERT_WEBHOOK may be set. WHAT_IF=1 only shows what would change; the group has to
# be there for that, and may be empty.
set -euo pipefail

usage() { sed -n '2,/^set/p' "$0" | sed '/^set/d; s/^# \{0,1\}//'; }
wrong() {
  echo "deploy.sh: $1" >&2
  usage >&2
  exit 2
}
case " $* " in *" --help "* | *" -h "*) usage; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
case ${2:-dev} in dev | production) ;; *) wrong "'$2' is no kind of deployment: dev or production" ;; esac
[ $# -ge 3 ] || wrong 'GROUP, dev or production, and IMAGE are needed'
group=$1 kind=$2 image=$3 location=${4:-westeurope}
shift $(($# < 4 ? $# : 4))
command -v az >/dev/null || { echo "the Azure CLI (az) is needed" >&2; exit 1; }

exists=$(az group exists --name "$group")
# A look leaves nothing behind, and Azure gives none without a group.
[ "$exists" = true ] || [ -z "${WHAT_IF:-}" ] ||
  { echo "there is no group $group to look into: az group create --name $group --location $location" >&2; exit 2; }
deployed=0
[ "$exists" = false ] ||
  deployed=$(az deployment group list --resource-group "$group" --query "[?name=='holdfast'] | length(@)" --output tsv)
for name in DATABASE_PASSWORD API_TOKEN; do
  [ -z "${!name:-}" ] || continue
  # Letters and digits: 32 of them.
  printf -v "$name" '%s' "$(openssl rand -base64 48 | tr -dc 'A-Za-z0-9' | cut -c1-32)"
  [ -z "${WHAT_IF:-}" ] || continue
  # Another password than before would lock the running detector out.
  [ "$deployed" = 0 ] || { echo "$name must be set: it was deployed to $group before" >&2; exit 2; }
  # Before anything can fail: the database may have it by then.
  echo "$name=${!name}   (made up; keep it, it is shown this once)" >&2
done

# Secrets stand in a file that nobody else reads, never in arguments, which every process sees.
secrets=$(mktemp)
trap 'rm -f "$secrets"' EXIT
chmod 600 "$secrets"
text() { printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g'; }
cat >"$secrets" <<JSON
{
  "\$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "detectorImage": { "value": "$(text "$image")" },
    "databasePassword": { "value": "$(text "$DATABASE_PASSWORD")" },
    "apiToken": { "value": "$(text "$API_TOKEN")" },
    "alertWebhook": { "value": "$(text "${ALERT_WEBHOOK:-}")" }
  }
}
JSON

[ "$exists" = true ] || az group create --name "$group" --location "$location" --output none
verb=create
[ -z "${WHAT_IF:-}" ] || verb=what-if
query=()
[ "$verb" = what-if ] || query=(--query properties.outputs --output json)
az deployment group "$verb" --resource-group "$group" --name holdfast --template-file "$here/azuredeploy.json" \
  --parameters "@$here/$kind.parameters.json" --parameters "@$secrets" ${1+--parameters "$@"} ${query[@]+"${query[@]}"}
