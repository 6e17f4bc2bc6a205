// Builds OpenTofu's command from its module, for machines that have no terraform. `go install`
// refuses a module that replaces others, so its replacements are repeated here.
module rpool.local/opentofu

go 1.26.6

godebug (
	tlsmlkem=0
	winsymlink=0
)

require github.com/opentofu/opentofu v1.12.6

replace github.com/hashicorp/hcl/v2 v2.20.1 => github.com/opentofu/hcl/v2 v2.20.2-0.20251021132045-587d123c2828
