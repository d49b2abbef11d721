// Package schedule has EventBridge's rate and cron expressions, and publishes the events
// of scheduled rules on a bus.
//
//   - An [Expression] says when a rule fires; [Parse] reads one, [Expression.Next] computes
//     the time that comes next.
//   - [Run] publishes an event each time a [Rule] fires, until its context ends.
//
// The language is the service's (Amazon EventBridge User Guide, "Using cron and rate
// expressions"): UTC, one-minute precision, and what no other cron has: years, L, LW,
// L-n, nW, nL and n#k.
//
//	rate(5 minutes)                 every five minutes
//	cron(0/30 20-23 ? * MON-FRI *)  each half hour from 20:00 to 23:30, Monday to Friday
//	cron(0 12 LW * ? *)             at noon of the last day of each month that is no Saturday or Sunday
//	cron(15 10 ? * 6L 2002-2005)    at 10:15 of the last Friday of each month of these years
//
// What the service is known to refuse is refused; so is what it is not known to accept
// (lower-case names of months and days, a list of one and L). The file
// testdata/expressions.txt says of each where it is known from.
//
// Time is package time: under testing/synctest a year of firings takes no time.
package schedule
