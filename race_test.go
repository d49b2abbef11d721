//go:build race

package footbridge

func init() { raceEnabled = true }
