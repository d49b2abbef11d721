//go:build race

package awsapi

func init() { raceEnabled = true }
