# write_config URL: the smallest configuration of two roles, in $work/agent.yaml.
write_config() {
    cat >"$work/agent.yaml" <<END
models:
  oracle: {endpoint: o-model, instruction: "You know.", max_tokens: 100}
  judge: {endpoint: j-model, instruction: "You judge.", max_tokens: 50}
providers:
  default:
    type: databricks
    base_url: "$1"
    prices: {"*": {input: 1, output: 2}}
END
}
