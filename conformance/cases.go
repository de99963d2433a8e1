package conformance

import "slices"

// Cases lists every case. Those that wait for seconds come first, so that they wait beside the others.
func Cases() []Case {
	return slices.Concat(
		waitCases(), authCases(), httpCases(), malformedCases(), sessionCases(), pushCases(), pushRefusedCases(),
		pullCases(), pullItemCases(), renegotiateCases(), closeCases(), closeRefusedCases(), closeNegotiatedCases(),
		mediaCases(), codecCases(), repairCases(), hostileCases(), updateCases(), simulcastCases(), bidirectionalCases(),
		pushUnofferedCases(), discoverCases(), pullOfferCases(), restartCases(), codecSetCases(),
		lifeCases(), limitCases(), flowCases(), roomCases(),
		establishCases(), channelCases(), channelItemCases(), deliveryCases(), channelLifeCases(), channelFlowCases(),
		credentialCases(), turnCases(), turnFlowCases(), accountCases(), adapterCases(), adapterMediaCases(), adapterLifeCases(),
		adapterRuleCases(), ruleCases(), clientFlowCases(), faultCases(), faultAsideCases(), fieldCases(), openCases(),
	)
}
