"""RecBole's context-aware models go through this package's split and phases by name."""

from recbole_mwuf.quick_start import run

for name in ("FM", "PNN"):
    result = run(name, dataset="ml-100k", config_dict={"state": "WARNING"})
    print(result.table())
