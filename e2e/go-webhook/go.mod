module railweave.io/e2e/go-webhook

go 1.26.0
